#include "models/sense_voice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "models/piece_text.h"

namespace tutti {
namespace {

constexpr int64_t kPromptTable = 16;  // rows of embed.weight
constexpr int64_t kEventRow = 1, kEmotionRow = 2, kWithItn = 14, kWithoutItn = 15;

constexpr std::array<std::pair<std::string_view, int64_t>, 7> kLanguages = {
    {{"auto", 0}, {"zh", 3}, {"en", 4}, {"yue", 7}, {"ja", 11}, {"ko", 12}, {"nospeech", 13}}};

absl::StatusOr<int64_t> LanguageRow(const Config& config) {
  TUTTI_ASSIGN_OR_RETURN(const std::string language, config.GetString("language", "auto"));
  for (const auto& [name, row] : kLanguages) {
    if (name == language) return row;
  }
  return InvalidArgument("{}: language: \"{}\", expected auto, zh, en, yue, ja, ko or nospeech", config.source_name(),
                         language);
}

absl::StatusOr<int64_t> TextNormRow(const Config& config) {
  TUTTI_ASSIGN_OR_RETURN(const bool use_itn, config.GetBool("use_itn", false));
  TUTTI_ASSIGN_OR_RETURN(const std::string text_norm, config.GetString("text_norm", use_itn ? "withitn" : "woitn"));
  if (text_norm == "withitn") return kWithItn;
  if (text_norm == "woitn") return kWithoutItn;
  return InvalidArgument("{}: text_norm: \"{}\", expected withitn or woitn", config.source_name(), text_norm);
}

}  // namespace

absl::StatusOr<SenseVoiceOptions> SenseVoiceOptions::FromConfig(const Config& config) {
  TUTTI_ASSIGN_OR_RETURN(const Config model_conf, config.Overlay("model_conf"));
  SenseVoiceOptions options;
  TUTTI_ASSIGN_OR_RETURN(options.language, LanguageRow(model_conf));
  TUTTI_ASSIGN_OR_RETURN(options.text_norm, TextNormRow(model_conf));
  TUTTI_ASSIGN_OR_RETURN(options.blank, model_conf.GetInt("blank_id", options.blank));
  return options;
}

absl::StatusOr<std::shared_ptr<const SenseVoice>> SenseVoice::Load(const ModelPackage& package,
                                                                   ComputeType compute_type) {
  return Load(package, CheckpointWeights(package.weights), compute_type);
}

absl::StatusOr<std::shared_ptr<const SenseVoice>> SenseVoice::Load(const ModelPackage& package,
                                                                   const WeightSource& source,
                                                                   ComputeType compute_type) {
  TUTTI_ASSIGN_OR_RETURN(auto frontend, Frontend::FromPackage(package));
  auto model = Create(package.config, source, std::move(frontend), package.tokens, compute_type);
  if (!model.ok()) return WithContext(model.status(), package.directory);
  return model;
}

absl::StatusOr<std::shared_ptr<const SenseVoice>> SenseVoice::Create(const Config& config, const WeightSource& source,
                                                                     std::shared_ptr<const Frontend> frontend,
                                                                     std::vector<std::string> tokens,
                                                                     ComputeType compute_type) {
  const auto vocabulary = static_cast<int64_t>(tokens.size());
  if (vocabulary == 0) return InvalidArgument("no tokens: expected tokens.json");
  const int64_t in = frontend->width();
  TUTTI_ASSIGN_OR_RETURN(const auto options, SenseVoiceOptions::FromConfig(config));
  TUTTI_ASSIGN_OR_RETURN(auto encoder_options, SanmEncoderOptions::FromConfig(config, in));
  encoder_options.compute_type = ResolveComputeType(compute_type, kGuard);
  TUTTI_ASSIGN_OR_RETURN(const Weight table, source.Get("embed.weight", {kPromptTable, in}));
  std::vector<float> prompt;
  for (const int64_t row : {options.language, kEventRow, kEmotionRow, options.text_norm})
    prompt.insert(prompt.end(), table.data() + row * in, table.data() + (row + 1) * in);
  TUTTI_ASSIGN_OR_RETURN(SanmEncoder encoder, SanmEncoder::Load(source, encoder_options));
  TUTTI_ASSIGN_OR_RETURN(OutputLayer output,
                         OutputLayer::Load(source, "ctc.ctc_lo", vocabulary, encoder_options.width));
  return std::shared_ptr<const SenseVoice>(new SenseVoice(options, std::move(frontend), std::move(tokens),
                                                          std::move(prompt), std::move(encoder), std::move(output)));
}

SenseVoice::SenseVoice(SenseVoiceOptions options, std::shared_ptr<const Frontend> frontend,
                       std::vector<std::string> tokens, std::vector<float> prompt, SanmEncoder encoder,
                       OutputLayer output)
    : options_(options),
      frontend_(std::move(frontend)),
      tokens_(std::move(tokens)),
      prompt_(std::move(prompt)),
      encoder_(std::move(encoder)),
      output_(std::move(output)) {}

void SenseVoice::PromptedOffsets(const ScatteredBatch& features, int64_t* offsets) {
  offsets[0] = 0;
  for (int64_t i = 0; i < features.segments(); ++i) {
    const int64_t rows = features.rows(i);
    offsets[i + 1] = offsets[i] + (rows > 0 ? kPromptRows + rows : 0);
  }
}

void SenseVoice::AddPrompts(const ScatteredBatch& features, std::span<const int64_t> offsets, float* rows) const {
  for (int64_t i = 0; i < features.segments(); ++i) {
    if (features.rows(i) == 0) continue;
    float* at = std::ranges::copy(prompt_, rows + offsets[static_cast<size_t>(i)] * features.width()).out;
    std::copy_n(features.segment(i), features.rows(i) * features.width(), at);
  }
}

void SenseVoice::Recognise(const ScatteredBatch& features, Workspace& workspace,
                           std::span<Hypothesis> hypotheses) const {
  for (Hypothesis& hypothesis : hypotheses) {
    hypothesis.ids.clear();
    hypothesis.scores.clear();
    hypothesis.times.clear();
  }
  Workspace::Scope scope(workspace);
  const int64_t segments = features.segments();
  const std::span offsets(scope.As<int64_t>(segments + 1), static_cast<size_t>(segments) + 1);
  PromptedOffsets(features, offsets.data());
  const int64_t rows = offsets.back();
  if (rows == 0) return;
  float* prompted = scope.Floats(rows * features.width());
  AddPrompts(features, offsets, prompted);
  float* encoded = scope.Floats(rows * encoder_.options().width);
  encoder_.Run({prompted, features.width(), offsets}, workspace, encoded);
  auto* ids = scope.As<int32_t>(rows);
  float* scores = scope.Floats(rows);
  output_.Greedy(encoded, rows, workspace, ids, scores);

  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    Hypothesis& hypothesis = hypotheses[i];
    for (int64_t at = offsets[i]; at < offsets[i + 1]; ++at) {
      if (ids[at] == options_.blank) continue;
      if (at > offsets[i] && ids[at] == ids[at - 1]) {  // a repeat: the token is as sure as at its best row
        hypothesis.scores.back() = std::max(hypothesis.scores.back(), scores[at]);
        continue;
      }
      hypothesis.ids.push_back(ids[at]);
      hypothesis.scores.push_back(scores[at]);
    }
  }
}

SegmentText SenseVoice::Text(const Hypothesis& hypothesis) const {
  std::vector<ScoredToken> pieces;
  for (size_t i = 0; i < hypothesis.ids.size(); ++i)
    pieces.push_back({tokens_[static_cast<size_t>(hypothesis.ids[i])], hypothesis.scores[i], -1, -1});
  return TextFromPieces(pieces);
}

}  // namespace tutti
