#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "models/paraformer.h"
#include "models/sanm_encoder.h"
#include "models/sense_voice.h"
#include "models/weight_source.h"

namespace tutti {

// Seeded random weights of any shape asked for, scaled so that a network neither dies nor explodes. A tensor depends on
// its name and the seed alone. Immutable.
class RandomWeights final : public WeightSource {
 public:
  explicit RandomWeights(uint64_t seed) : seed_(seed) {}

  using WeightSource::Get;
  bool Has(std::string_view) const override { return false; }
  absl::StatusOr<Weight> Get(std::string_view name, std::span<const int64_t> shape) const override;

 private:
  const uint64_t seed_;
};

// The defaults are paraformer-large.
struct ParaformerDims {
  int64_t width = 512;
  int64_t heads = 4;
  int64_t hidden = 2048;
  int64_t encoder_blocks = 50;
  int64_t decoder_layers = 16;
  int64_t taps = 11;
  int64_t vocabulary = 8404;
};

// A Paraformer of any size without a file, for benchmarks and tests: 16 kHz frontend with 560 features, random weights
// whose predictor finds about four tokens a second, and Chinese characters for tokens.
absl::StatusOr<std::shared_ptr<const Paraformer>> MakeSyntheticParaformer(const ParaformerDims& dims, uint64_t seed,
                                                                          ComputeType compute_type = ComputeType::kF32);

// The defaults are SenseVoiceSmall.
struct SenseVoiceDims {
  int64_t width = 512;
  int64_t heads = 4;
  int64_t hidden = 2048;
  int64_t blocks = 50;
  int64_t tp_blocks = 20;
  int64_t taps = 11;
  int64_t vocabulary = 25055;
};

// The same for a SenseVoice. Its CTC layer hears noise: about every row has another token.
absl::StatusOr<std::shared_ptr<const SenseVoice>> MakeSyntheticSenseVoice(const SenseVoiceDims& dims, uint64_t seed,
                                                                          ComputeType compute_type = ComputeType::kF32);

// Either.
using SyntheticDims = std::variant<ParaformerDims, SenseVoiceDims>;
absl::StatusOr<std::shared_ptr<const AsrModel>> MakeSynthetic(const SyntheticDims& dims, uint64_t seed,
                                                              ComputeType compute_type = ComputeType::kF32);

// The encoder alone.
absl::StatusOr<SanmEncoder> MakeSyntheticEncoder(const SanmEncoderOptions& options, uint64_t seed);
absl::StatusOr<SanmEncoder> MakeSyntheticEncoder(const SyntheticDims& dims, uint64_t seed,
                                                 ComputeType compute_type = ComputeType::kF32);

}  // namespace tutti
