#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "checkpoint/whisper_package.h"
#include "models/layers.h"
#include "models/weight_source.h"
#include "nn/linear.h"
#include "nn/ops.h"

// What Whisper's encoder and decoder have in common. Weights go by the names of CTranslate2's packages (whisper spec
// §2).
namespace tutti {

// The sizes of a Whisper network; the defaults are whisper-base.
struct WhisperDims {
  int64_t mels = 80;
  int64_t width = 512;
  int64_t encoder_heads = 8;
  int64_t decoder_heads = 8;
  int64_t hidden = 2048;  // of the feed-forward blocks
  int64_t encoder_layers = 6;
  int64_t decoder_layers = 6;
  int64_t audio_positions = 1500;  // rows of a window's encoding, 20 ms each
  int64_t text_positions = 448;
  int64_t vocabulary = 51865;
  ComputeType compute_type = ComputeType::kF32;  // of the products; never kAuto
};

// Of a package; the compute type is f32. InvalidArgument where the feed-forward blocks of encoder and decoder differ in
// size, as no Whisper's do.
absl::StatusOr<WhisperDims> WhisperDimsOf(const WhisperSizes& sizes);

inline constexpr float kWhisperNormEps = 1e-5F;

// `name`/weight [out, in] and, unless shape.bias is false, `name`/bias [out].
absl::StatusOr<Linear> LoadWhisperLinear(const WeightSource& source, std::string_view name, LinearShape shape,
                                         LinearOptions options);

// Layer norm with `name`/gamma and `name`/beta, [width] each. Immutable after Load.
class WhisperNorm {
 public:
  WhisperNorm() = default;  // empty: assign a loaded one before Run
  static absl::StatusOr<WhisperNorm> Load(const WeightSource& source, std::string_view name, int64_t width);

  // x == y is allowed.
  void Run(const float* x, int64_t rows, float* y) const {
    LayerNorm(x, rows, static_cast<int64_t>(gamma_.size()), gamma_.data(), beta_.data(), kWhisperNormEps, y);
  }

 private:
  std::vector<float> gamma_, beta_;
};

// y = linear(norm(x)) over the workspace's team; x [rows, linear.in()], rows of y `y_stride` floats apart.
void RunNormed(const WhisperNorm& norm, const Linear& linear, const float* x, int64_t rows, float* y, int64_t y_stride,
               Workspace& workspace);

// x += down(GELU(up(norm(x)))). Immutable after Load.
class WhisperFeedForward {
 public:
  // Takes `name`/{layer_norm, linear_0, linear_1}.
  static absl::StatusOr<WhisperFeedForward> Load(const WeightSource& source, std::string_view name,
                                                 const WhisperDims& dims);

  // x [rows, width], in place.
  void Run(float* x, int64_t rows, Workspace& workspace) const;

 private:
  void RunFew(float* x, int64_t rows, Workspace& workspace) const;

  int64_t width_ = 0, hidden_stride_ = 0;
  WhisperNorm norm_;
  Linear up_, down_;
};

}  // namespace tutti
