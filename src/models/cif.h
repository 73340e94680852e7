#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "checkpoint/config.h"
#include "models/layers.h"
#include "models/weight_source.h"
#include "nn/ragged_batch.h"
#include "nn/workspace.h"

namespace tutti {

// Tokens in a segment: how often the sum of its alphas fires, at most the floor of that sum.
int64_t CountTokens(std::span<const float> alphas, double threshold);

// Continuous integrate-and-fire (spec §6.1): rows of `hidden`, weighted by alpha, are summed until the weights reach
// the threshold; each such sum is one acoustic embedding. Writes the first `tokens` of them, [tokens, width]. Alphas
// beyond hidden's `rows` belong to zero rows. The weights are integrated in float64, because where they fire hangs on
// the last bit.
void IntegrateAndFire(const float* hidden, int64_t rows, int64_t width, std::span<const float> alphas, double threshold,
                      int64_t tokens, float* embeddings);

struct CifOptions {
  int version = 2;  // 1: depthwise convolution with residual; 2: full convolution without
  int64_t width = 512;
  int64_t left = 1;   // rows the convolution looks back
  int64_t right = 1;  // and ahead
  double threshold = 1.0;
  double tail_threshold = 0.45;
  double smooth_factor = 1.0;
  double noise_threshold = 0.0;

  // `predictor` and `predictor_conf` of a model package. Unimplemented for a predictor that is neither version.
  static absl::StatusOr<CifOptions> FromConfig(const Config& config, int64_t width);
};

// The CIF predictor (spec §6): how much of a token each encoder row holds, and the rows gathered into one embedding a
// token. Rows outside a segment are zero to its convolution, so the batch leak of spec §6.2 cannot happen. (FunASR's
// tail_mask says at which row of a padded batch the tail weight lands; without padding both answers are the same.)
//
// Immutable after Load; safe from any thread, each with its own Workspace.
class CifPredictor {
 public:
  // Takes predictor.* from `source`.
  static absl::StatusOr<CifPredictor> Load(const WeightSource& source, const CifOptions& options);

  const CifOptions& options() const { return options_; }

  // A segment of n rows has n + 1 alphas, the last for the zero row that ends it; a segment without rows has none.
  // Those of segment i begin at alphas[offsets[i] + i]; `alphas` holds rows + segments floats.
  void Alphas(const RaggedBatch& encoded, Workspace& workspace, float* alphas) const;
  static std::span<const float> AlphasOf(const RaggedBatch& encoded, const float* alphas, int64_t segment);

 private:
  explicit CifPredictor(const CifOptions& options) : options_(options) {}

  // relu(convolution), [rows, width].
  void Convolve(const RaggedBatch& encoded, Workspace& workspace, float* y) const;

  CifOptions options_;
  Linear full_;     // version 2: [width, taps · width]
  Fsmn depthwise_;  // version 1: convolution and residual
  std::vector<float> depthwise_bias_;
  std::vector<float> output_;  // [width]
  float output_bias_ = 0;
};

}  // namespace tutti
