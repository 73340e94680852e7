#include "models/paraformer.h"

#include <tuple>
#include <utility>

#include "models/token_text.h"

namespace tutti {

absl::StatusOr<std::shared_ptr<const Paraformer>> Paraformer::Load(const ModelPackage& package,
                                                                   ComputeType compute_type) {
  return Load(package, CheckpointWeights(package.weights), compute_type);
}

absl::StatusOr<std::shared_ptr<const Paraformer>> Paraformer::Load(const ModelPackage& package,
                                                                   const WeightSource& source,
                                                                   ComputeType compute_type) {
  TUTTI_ASSIGN_OR_RETURN(auto frontend, Frontend::FromPackage(package));
  auto model = Create(package.config, source, std::move(frontend), package.tokens, compute_type);
  if (!model.ok()) return WithContext(model.status(), package.directory);
  return model;
}

absl::StatusOr<std::shared_ptr<const Paraformer>> Paraformer::Create(const Config& config, const WeightSource& source,
                                                                     std::shared_ptr<const Frontend> frontend,
                                                                     std::vector<std::string> tokens,
                                                                     ComputeType compute_type) {
  const auto vocabulary = static_cast<int64_t>(tokens.size());
  if (vocabulary == 0) return InvalidArgument("no tokens: expected tokens.json or tokens.txt");
  TUTTI_ASSIGN_OR_RETURN(const Config model_conf, config.Overlay("model_conf"));
  SpecialIds special;
  TUTTI_ASSIGN_OR_RETURN(special.blank, model_conf.GetInt("blank_id", special.blank));
  TUTTI_ASSIGN_OR_RETURN(special.sos, model_conf.GetInt("sos", special.sos));
  TUTTI_ASSIGN_OR_RETURN(special.eos, model_conf.GetInt("eos", special.eos));

  TUTTI_ASSIGN_OR_RETURN(auto encoder_options, SanmEncoderOptions::FromConfig(config, frontend->width()));
  const int64_t width = encoder_options.width;
  TUTTI_ASSIGN_OR_RETURN(const auto cif_options, CifOptions::FromConfig(config, width));
  TUTTI_ASSIGN_OR_RETURN(auto decoder_options, ParaformerDecoderOptions::FromConfig(config, width, vocabulary));
  encoder_options.compute_type = decoder_options.compute_type = ResolveComputeType(compute_type, Guard(width));
  TUTTI_ASSIGN_OR_RETURN(SanmEncoder encoder, SanmEncoder::Load(source, encoder_options));
  TUTTI_ASSIGN_OR_RETURN(CifPredictor predictor, CifPredictor::Load(source, cif_options));
  TUTTI_ASSIGN_OR_RETURN(ParaformerDecoder decoder, ParaformerDecoder::Load(source, decoder_options));
  return std::shared_ptr<const Paraformer>(new Paraformer(
      special, std::move(frontend), std::move(tokens), std::move(encoder), std::move(predictor), std::move(decoder)));
}

Paraformer::Paraformer(SpecialIds special, std::shared_ptr<const Frontend> frontend, std::vector<std::string> tokens,
                       SanmEncoder encoder, CifPredictor predictor, ParaformerDecoder decoder)
    : special_(special),
      frontend_(std::move(frontend)),
      tokens_(std::move(tokens)),
      encoder_(std::move(encoder)),
      predictor_(std::move(predictor)),
      decoder_(std::move(decoder)) {}

void Paraformer::Recognise(const ScatteredBatch& features, Workspace& workspace,
                           std::span<Hypothesis> hypotheses) const {
  for (Hypothesis& hypothesis : hypotheses) {
    hypothesis.ids.clear();
    hypothesis.scores.clear();
    hypothesis.times.clear();
  }
  const int64_t rows = features.rows(), segments = features.segments(), width = encoder_.options().width;
  Workspace::Scope scope(workspace);
  float* encoded_rows = scope.Floats(rows * width);
  encoder_.Run(features, workspace, encoded_rows);
  const RaggedBatch encoded = {encoded_rows, width, features.offsets()};

  float* alphas = scope.Floats(rows + segments);
  predictor_.Alphas(encoded, workspace, alphas);
  const double threshold = predictor_.options().threshold;
  const std::span token_offsets(scope.As<int64_t>(segments + 1), static_cast<size_t>(segments) + 1);
  token_offsets[0] = 0;
  for (int64_t i = 0; i < segments; ++i) {
    const auto at = static_cast<size_t>(i);
    token_offsets[at + 1] = token_offsets[at] + CountTokens(CifPredictor::AlphasOf(encoded, alphas, i), threshold);
  }
  const int64_t tokens = token_offsets.back();
  if (tokens == 0) return;
  float* embeddings = scope.Floats(tokens * width);
  for (int64_t i = 0; i < segments; ++i) {
    const int64_t first = token_offsets[static_cast<size_t>(i)];
    IntegrateAndFire(encoded.segment(i), encoded.rows(i), width, CifPredictor::AlphasOf(encoded, alphas, i), threshold,
                     token_offsets[static_cast<size_t>(i) + 1] - first, embeddings + first * width);
  }

  float* const decoded = embeddings;
  decoder_.Run({embeddings, width, token_offsets}, encoded, workspace, decoded);
  auto* ids = scope.As<int32_t>(tokens);
  float* scores = scope.Floats(tokens);
  decoder_.output().Greedy(decoded, tokens, workspace, ids, scores);
  for (size_t i = 0; i + 1 < token_offsets.size(); ++i) {
    for (int64_t at = token_offsets[i]; at < token_offsets[i + 1]; ++at) {
      if (ids[at] == special_.blank || ids[at] == special_.sos || ids[at] == special_.eos) continue;
      hypotheses[i].ids.push_back(ids[at]);
      hypotheses[i].scores.push_back(scores[at]);
    }
  }
}

SegmentText Paraformer::Text(const Hypothesis& hypothesis) const {
  const bool timed = !hypothesis.times.empty();
  std::vector<ScoredToken> tokens;
  for (size_t i = 0; i < hypothesis.ids.size(); ++i) {
    ScoredToken token = {tokens_[static_cast<size_t>(hypothesis.ids[i])], hypothesis.scores[i], -1, -1};
    if (timed) std::tie(token.start_ms, token.end_ms) = hypothesis.times[i];
    tokens.push_back(token);
  }
  return TextFromTokens(tokens, timed);
}

}  // namespace tutti
