#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/status.h"
#include "checkpoint/model_package.h"
#include "checkpoint/whisper_package.h"
#include "frontend/log_mel.h"
#include "models/asr_model.h"
#include "models/weight_source.h"
#include "models/whisper_batch.h"
#include "models/whisper_decoder.h"
#include "models/whisper_encoder.h"
#include "models/whisper_rules.h"

namespace tutti {

// Whisper (whisper spec §3–§5): windows of joined speech through the encoder, their text token by token, without times
// inside a window, as faster-whisper's batched pipeline has it.
class Whisper final : public AsrModel {
 public:
  // Measured with whisper-base on the Asterisk calls (docs/models.md). Narrower networks round away more; none was
  // measured.
  static constexpr AccuracyGuard Guard(int64_t width) {
    return width < 512 ? AccuracyGuard{} : AccuracyGuard{.bf16 = true, .int8 = true};
  }

  static absl::StatusOr<std::shared_ptr<const Whisper>> Load(const ModelPackage& package, const WeightSource& source,
                                                             ComputeType compute_type);

  const FeatureExtractor* frontend() const override { return features_.get(); }
  std::string_view family() const override { return "whisper"; }
  ComputeType compute_type() const override { return decoder_.dims().compute_type; }
  // One decoding's worth, in the default options.
  void Recognise(const ScatteredBatch& features, Workspace& workspace, std::span<Hypothesis> hypotheses) const override;
  std::unique_ptr<Decoding> NewDecoding() const override;
  int64_t max_segment_ms() const override { return window_ms(max_frames()); }
  int64_t join_ms() const override { return window_ms(max_frames()); }
  // Measured with whisper-base (docs/performance.md): 2 windows of 30 s in the default budget, this many times.
  double batch_factor() const override { return 4; }
  int64_t batch_rows(int64_t rows) const override { return WindowFrames(rows); }
  bool takes_search_options() const override { return true; }
  absl::Status Check(const SearchOptions& options) const override;
  SegmentText Text(const Hypothesis& hypothesis) const override;

  const WhisperEncoder& encoder() const { return encoder_; }
  const WhisperDecoder& decoder() const { return decoder_; }
  const WhisperVocabulary& vocabulary() const { return vocabulary_; }

  // Frames of the window that so many frames of features are put into: shorter ones than half of the longest make the
  // decoder run away (whisper spec §6).
  int64_t WindowFrames(int64_t frames) const;
  // What the decoder is told and asked. InvalidArgument names the option and what it may be.
  absl::StatusOr<WhisperDecodeOptions> Translate(const SearchOptions& options) const;

 private:
  Whisper(WhisperPackage package, WhisperVocabulary vocabulary, std::shared_ptr<const LogMel> features,
          WhisperEncoder encoder, WhisperDecoder decoder);

  int64_t max_frames() const { return 2 * package_.sizes.encoder_positions; }
  static int64_t window_ms(int64_t frames) { return frames * 1000 / LogMel::kFramesPerSecond; }

  const WhisperPackage package_;
  const WhisperVocabulary vocabulary_;
  const std::shared_ptr<const LogMel> features_;
  const WhisperEncoder encoder_;
  const WhisperDecoder decoder_;
};

}  // namespace tutti
