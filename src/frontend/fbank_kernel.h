#pragma once

#include <cstdint>
#include <vector>

namespace tutti {

// Constants of the log-mel filter bank (spec §2.1) for a 512-point transform.
struct FbankTables {
  FbankTables(int frame_length, int frame_shift, int mels, float scale);

  static constexpr int kPoints = 512;
  static constexpr int kHalf = kPoints / 2;  // the real transform runs as a complex one of half the length

  int frame_length;
  int frame_shift;
  int mels;
  float scale;                // applied to every sample
  std::vector<float> window;  // [frame_length]
  // Where complex input n goes so that the radix-4 transform leaves its output in order.
  std::vector<int> reversed;                // [kHalf]
  std::vector<float> half_cos, half_sin;    // e^(-2πik/256), k = 0 … 255
  std::vector<float> whole_cos, whole_sin;  // e^(-2πik/512), k = 0 … 128
  // Triangular filter m weighs bins first_bin[m] … with weights[first_weight[m]] … weights[first_weight[m + 1] - 1].
  std::vector<int> first_bin;     // [mels]
  std::vector<int> first_weight;  // [mels + 1]
  std::vector<float> weights;
};

// Log-mel energies of `frames` frames to `out` [frames, mels]; frame i starts at samples[i · frame_shift].
//
// Vector lanes hold whole frames and never meet, so a frame's result depends on its own samples alone, wherever it sits
// in a call.
void LogMelEnergies(const FbankTables& tables, const float* samples, int64_t frames, float* out);

// Decibels of `frames` frames of unscaled samples: 10·log10(Σx² + 1e-6) (spec §3.1).
void FrameDecibels(const float* samples, int64_t frames, int frame_length, int frame_shift, float* out);

}  // namespace tutti
