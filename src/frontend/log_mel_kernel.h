#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace tutti {

// Constants of Whisper's log-mel filters (whisper spec §3): a transform of 400 points.
struct LogMelTables {
  explicit LogMelTables(int64_t mels);

  static constexpr int kPoints = 400;
  static constexpr int kHalf = kPoints / 2;  // the real transform runs as a complex one of half the length
  static constexpr int kHop = 160;
  static constexpr std::array<int, 4> kRadices = {5, 5, 4, 2};  // of the complex transform's passes

  int64_t mels;
  std::vector<float> window;                // periodic Hann, [kPoints]
  std::vector<int> reversed;                // where complex input n goes so that the passes leave their output in order
  std::vector<float> half_cos, half_sin;    // e^(-2πik/200), k = 0 … 199
  std::vector<float> whole_cos, whole_sin;  // e^(-2πik/400), k = 0 … 100
  // Triangular filter m weighs bins first_bin[m] … with weights[first_weight[m]] … weights[first_weight[m + 1] - 1].
  std::vector<int> first_bin;     // [mels]
  std::vector<int> first_weight;  // [mels + 1]
  std::vector<float> weights;
};

// log10 of the mel energies, at least 1e-10, of `frames` frames to `out` [frames, mels]; frame i starts at
// samples[i · kHop]. Returns the largest of them.
//
// Vector lanes hold whole frames and never meet, so a frame's result depends on its own samples alone, wherever it sits
// in a call.
float Log10MelEnergies(const LogMelTables& tables, const float* samples, int64_t frames, float* out);

// x = (max(x, floor) + 4) / 4 over n floats.
void ScaleLogMel(float floor, int64_t n, float* x);

}  // namespace tutti
