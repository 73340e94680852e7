#pragma once

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
#include "models/cif.h"
#include "models/paraformer_decoder.h"
#include "models/sanm_encoder.h"
#include "models/weight_source.h"

namespace tutti {

// Paraformer (spec §5–§7): encoder, CIF predictor and decoder, each token decided at once. It has no times.
class Paraformer final : public AsrModel {
 public:
  // Measured with the demo model, whose width is 192 (tests/demo/demo_test.py holds it). Narrower networks round away
  // more; none was measured.
  static constexpr AccuracyGuard Guard(int64_t width) {
    return width < 192 ? AccuracyGuard{} : AccuracyGuard{.bf16 = true, .int8 = true};
  }

  static absl::StatusOr<std::shared_ptr<const Paraformer>> Load(const ModelPackage& package,
                                                                ComputeType compute_type = ComputeType::kF32);
  // The same with weights from `source` in place of the package's own.
  static absl::StatusOr<std::shared_ptr<const Paraformer>> Load(const ModelPackage& package, const WeightSource& source,
                                                                ComputeType compute_type);
  // The graph that `config` describes with weights from `source`. A compute type that the CPU lacks falls back.
  static absl::StatusOr<std::shared_ptr<const Paraformer>> Create(const Config& config, const WeightSource& source,
                                                                  std::shared_ptr<const Frontend> frontend,
                                                                  std::vector<std::string> tokens,
                                                                  ComputeType compute_type = ComputeType::kF32);

  const Frontend* frontend() const override { return frontend_.get(); }
  std::string_view family() const override { return "paraformer"; }
  ComputeType compute_type() const override { return encoder_.options().compute_type; }
  const SanmEncoder* sanm_encoder() const override { return &encoder_; }
  void Recognise(const ScatteredBatch& features, Workspace& workspace, std::span<Hypothesis> hypotheses) const override;
  SegmentText Text(const Hypothesis& hypothesis) const override;

  const SanmEncoder& encoder() const { return encoder_; }
  const CifPredictor& predictor() const { return predictor_; }
  const ParaformerDecoder& decoder() const { return decoder_; }

 private:
  struct SpecialIds {
    int64_t blank = 0, sos = 1, eos = 2;
  };

  Paraformer(SpecialIds special, std::shared_ptr<const Frontend> frontend, std::vector<std::string> tokens,
             SanmEncoder encoder, CifPredictor predictor, ParaformerDecoder decoder);

  const SpecialIds special_;
  const std::shared_ptr<const Frontend> frontend_;
  const std::vector<std::string> tokens_;
  const SanmEncoder encoder_;
  const CifPredictor predictor_;
  const ParaformerDecoder decoder_;
};

}  // namespace tutti
