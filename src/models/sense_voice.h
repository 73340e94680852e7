#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "checkpoint/config.h"
#include "checkpoint/model_package.h"
#include "frontend/frontend.h"
#include "models/asr_model.h"
#include "models/output_layer.h"
#include "models/sanm_encoder.h"
#include "models/weight_source.h"

namespace tutti {

// What SenseVoice is told before it listens.
struct SenseVoiceOptions {
  int64_t language = 0;    // row of the prompt table: 0 lets the model find the language
  int64_t text_norm = 15;  // 14: numbers as digits, with punctuation; 15: words as spoken
  int64_t blank = 0;

  // `language` (auto, zh, en, yue, ja, ko, nospeech), `use_itn` (true, false) or `text_norm` (withitn, woitn), and
  // `blank_id` of a model package, with FunASR's defaults. InvalidArgument lists the languages.
  static absl::StatusOr<SenseVoiceOptions> FromConfig(const Config& config);
};

// SenseVoiceSmall (spec §9): four prompt rows and the features through the encoder, CTC over its rows, repeats and
// blanks removed. The text has no rich tags. It has no times.
class SenseVoice final : public AsrModel {
 public:
  // No recording with known text was ever measured: int8 and bf16 only for those who ask.
  static constexpr AccuracyGuard kGuard = {};
  static constexpr int64_t kPromptRows = 4;  // language, event, emotion, text_norm

  static absl::StatusOr<std::shared_ptr<const SenseVoice>> Load(const ModelPackage& package,
                                                                ComputeType compute_type = ComputeType::kF32);
  // The same with weights from `source` in place of the package's own.
  static absl::StatusOr<std::shared_ptr<const SenseVoice>> Load(const ModelPackage& package, const WeightSource& source,
                                                                ComputeType compute_type);
  // The graph that `config` describes with weights from `source`. A compute type that the CPU lacks falls back.
  static absl::StatusOr<std::shared_ptr<const SenseVoice>> Create(const Config& config, const WeightSource& source,
                                                                  std::shared_ptr<const Frontend> frontend,
                                                                  std::vector<std::string> tokens,
                                                                  ComputeType compute_type = ComputeType::kF32);

  const Frontend* frontend() const override { return frontend_.get(); }
  std::string_view family() const override { return "sensevoice"; }
  ComputeType compute_type() const override { return encoder_.options().compute_type; }
  const SanmEncoder* sanm_encoder() const override { return &encoder_; }
  void Recognise(const ScatteredBatch& features, Workspace& workspace, std::span<Hypothesis> hypotheses) const override;
  SegmentText Text(const Hypothesis& hypothesis) const override;

  const SanmEncoder& encoder() const { return encoder_; }
  const OutputLayer& output() const { return output_; }

  // Offsets [segments + 1] of the features with prompt rows before each segment that has rows; the last is their
  // number.
  static void PromptedOffsets(const ScatteredBatch& features, int64_t* offsets);
  // Those rows, [offsets.back(), width].
  void AddPrompts(const ScatteredBatch& features, std::span<const int64_t> offsets, float* rows) const;

 private:
  SenseVoice(SenseVoiceOptions options, std::shared_ptr<const Frontend> frontend, std::vector<std::string> tokens,
             std::vector<float> prompt, SanmEncoder encoder, OutputLayer output);

  const SenseVoiceOptions options_;
  const std::shared_ptr<const Frontend> frontend_;
  const std::vector<std::string> tokens_;
  const std::vector<float> prompt_;  // [kPromptRows, frontend width]
  const SanmEncoder encoder_;
  const OutputLayer output_;
};

}  // namespace tutti
