#include "models/synthetic.h"

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace tutti {
namespace {

constexpr double kTokensPerSecond = 4;
constexpr double kSecondsPerRow = 0.06;

uint64_t Fnv1a(std::string_view text, uint64_t hash) {
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

// Element i of a stream of random bits (splitmix64).
uint64_t RandomBits(uint64_t seed, uint64_t i) {
  uint64_t bits = seed + i * 0x9e3779b97f4a7c15;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  return bits ^ (bits >> 31);
}

// Uniform with the given standard deviation.
std::vector<float> Uniform(size_t count, float deviation, uint64_t seed) {
  const float scale = deviation * std::sqrt(3.0F) * 0x1p-23F;
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    const auto bits = static_cast<int32_t>(RandomBits(seed, i) >> 40);  // 24 of them
    values[i] = static_cast<float>(bits - (1 << 23)) * scale;
  }
  return values;
}

std::vector<std::string> SyntheticTokens(int64_t vocabulary) {
  std::vector<std::string> tokens = {"<blank>", "<s>", "</s>"};
  constexpr int64_t kCharacters = 0x9FA5 - 0x4E00 + 1;
  for (int64_t i = 3; i + 1 < vocabulary; ++i) {
    const auto c = static_cast<uint32_t>(0x4E00 + (i - 3) % kCharacters);
    tokens.push_back({static_cast<char>(0xE0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 0x3F)),
                      static_cast<char>(0x80 | (c & 0x3F))});
  }
  tokens.push_back("<unk>");
  return tokens;
}

}  // namespace

absl::StatusOr<Weight> RandomWeights::Get(std::string_view name, std::span<const int64_t> shape) const {
  size_t count = 1;
  for (const int64_t size : shape) count *= static_cast<size_t>(size);
  const bool is_weight = name.ends_with(".weight");
  const uint64_t seed = Fnv1a(name, seed_ ^ 0xcbf29ce484222325);
  if (name == "predictor.cif_output.bias") {
    const double alpha = kTokensPerSecond * kSecondsPerRow;
    return Weight(std::vector<float>(count, static_cast<float>(std::log(alpha / (1 - alpha)))));
  }
  if (name == "predictor.cif_output.weight") return Weight(Uniform(count, 0.01F, seed));
  if (is_weight && shape.size() == 1) return Weight(std::vector<float>(count, 1.0F));  // a norm's
  if (!is_weight) return Weight(Uniform(count, 0.05F, seed));
  const auto fan_in = static_cast<float>(count) / static_cast<float>(shape[0]);
  return Weight(Uniform(count, 1 / std::sqrt(fan_in), seed));
}

absl::StatusOr<std::shared_ptr<const Paraformer>> MakeSyntheticParaformer(const ParaformerDims& dims, uint64_t seed,
                                                                          ComputeType compute_type) {
  if (dims.vocabulary < 5) return InvalidArgument("synthetic model: {} tokens, expected at least 5", dims.vocabulary);
  const std::string yaml = fmt::format(
      "encoder: SANMEncoder\n"
      "encoder_conf: {{output_size: {0}, attention_heads: {1}, linear_units: {2}, num_blocks: {3}, kernel_size: {5},\n"
      "  input_layer: pe}}\n"
      "decoder: ParaformerSANMDecoder\n"
      "decoder_conf: {{attention_heads: {1}, linear_units: {2}, num_blocks: {4}, att_layer_num: {4}, kernel_size: "
      "{5}}}\n"
      "predictor: CifPredictorV2\n",
      dims.width, dims.heads, dims.hidden, dims.encoder_blocks, dims.decoder_layers, dims.taps);
  TUTTI_ASSIGN_OR_RETURN(const Config config, Config::ParseYaml(yaml, "synthetic model"));
  TUTTI_ASSIGN_OR_RETURN(auto frontend, Frontend::Create(FrontendOptions{}, Cmvn{}));
  return Paraformer::Create(config, RandomWeights(seed), std::move(frontend), SyntheticTokens(dims.vocabulary),
                            compute_type);
}

absl::StatusOr<std::shared_ptr<const SenseVoice>> MakeSyntheticSenseVoice(const SenseVoiceDims& dims, uint64_t seed,
                                                                          ComputeType compute_type) {
  if (dims.vocabulary < 5) return InvalidArgument("synthetic model: {} tokens, expected at least 5", dims.vocabulary);
  const std::string yaml = fmt::format(
      "encoder: SenseVoiceEncoderSmall\n"
      "encoder_conf: {{output_size: {}, attention_heads: {}, linear_units: {}, num_blocks: {}, tp_blocks: {},\n"
      "  kernel_size: {}}}\n",
      dims.width, dims.heads, dims.hidden, dims.blocks, dims.tp_blocks, dims.taps);
  TUTTI_ASSIGN_OR_RETURN(const Config config, Config::ParseYaml(yaml, "synthetic model"));
  TUTTI_ASSIGN_OR_RETURN(auto frontend, Frontend::Create(FrontendOptions{}, Cmvn{}));
  return SenseVoice::Create(config, RandomWeights(seed), std::move(frontend), SyntheticTokens(dims.vocabulary),
                            compute_type);
}

absl::StatusOr<std::shared_ptr<const AsrModel>> MakeSynthetic(const SyntheticDims& dims, uint64_t seed,
                                                              ComputeType compute_type) {
  if (const auto* sense_voice = std::get_if<SenseVoiceDims>(&dims))
    return MakeSyntheticSenseVoice(*sense_voice, seed, compute_type);
  return MakeSyntheticParaformer(std::get<ParaformerDims>(dims), seed, compute_type);
}

absl::StatusOr<SanmEncoder> MakeSyntheticEncoder(const SanmEncoderOptions& options, uint64_t seed) {
  return SanmEncoder::Load(RandomWeights(seed), options);
}

absl::StatusOr<SanmEncoder> MakeSyntheticEncoder(const SyntheticDims& dims, uint64_t seed, ComputeType compute_type) {
  if (const auto* sense_voice = std::get_if<SenseVoiceDims>(&dims)) {
    return MakeSyntheticEncoder({.width = sense_voice->width,
                                 .heads = sense_voice->heads,
                                 .hidden = sense_voice->hidden,
                                 .blocks = sense_voice->blocks,
                                 .tp_blocks = sense_voice->tp_blocks,
                                 .taps = sense_voice->taps,
                                 .norm_eps = 1e-5F,
                                 .compute_type = ResolveComputeType(compute_type, SenseVoice::kGuard)},
                                seed);
  }
  const auto& paraformer = std::get<ParaformerDims>(dims);
  return MakeSyntheticEncoder({.width = paraformer.width,
                               .heads = paraformer.heads,
                               .hidden = paraformer.hidden,
                               .blocks = paraformer.encoder_blocks,
                               .taps = paraformer.taps,
                               .compute_type = ResolveComputeType(compute_type, Paraformer::Guard(paraformer.width))},
                              seed);
}

}  // namespace tutti
