#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "models/layers.h"
#include "models/weight_source.h"
#include "models/whisper_layers.h"
#include "nn/linear.h"
#include "nn/ragged_batch.h"
#include "nn/workspace.h"

namespace tutti {

// Whisper's encoder (whisper spec §4): log-mel frames of windows → one vector of `width` for each two frames.
//
// Windows of a batch may have different lengths; each is encoded by itself. Immutable after Load; safe from any thread,
// each with its own Workspace.
class WhisperEncoder {
 public:
  // Takes encoder/… from `source`; every shape must be what `dims` says.
  static absl::StatusOr<WhisperEncoder> Load(const WeightSource& source, const WhisperDims& dims);

  // Rows of the encoding of a window of so many frames.
  static int64_t Rows(int64_t window_frames) { return (window_frames + 1) / 2; }

  // Segment i of `features`, [frames, mels], stands at the beginning of a window of window_frames[i] frames, zeros
  // behind it: frames <= window_frames[i] <= 2 · audio_positions. encoded gets Rows(window_frames[i]) rows of `width`
  // for each segment, end to end.
  void Run(const ScatteredBatch& features, std::span<const int64_t> window_frames, Workspace& workspace,
           float* encoded) const;

 private:
  struct Layer {
    WhisperNorm norm;
    Linear qkv, out;
    WhisperFeedForward feed_forward;
  };

  explicit WhisperEncoder(const WhisperDims& dims) : dims_(dims) {}

  static absl::StatusOr<Layer> LoadLayer(const WeightSource& source, std::string_view name, const WhisperDims& dims);
  // Both convolutions and the positions.
  void Convolve(const float* features, int64_t frames, int64_t window_frames, float* x, Workspace& workspace) const;
  void ConvolveRows(const float* features, int64_t frames, int64_t window_frames, int64_t first, int64_t count,
                    float* x, Workspace& workspace) const;
  // x += attention of its rows to each other.
  void Attend(const Layer& layer, int64_t rows, float* x, Workspace& workspace) const;
  void AttendNarrow(const Layer& layer, int64_t rows, float* x, Workspace& workspace) const;

  WhisperDims dims_;
  Linear conv1_, conv2_;
  std::vector<float> positions_;  // [audio_positions, width]
  std::vector<Layer> layers_;
  WhisperNorm norm_;
};

}  // namespace tutti
