#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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
#include "models/whisper_window.h"

namespace tutti {

// Whisper (whisper spec §3–§5): windows of joined speech through the encoder, their text token by token, divided by
// times inside a window or not, as faster-whisper's batched pipeline has it.
class Whisper final : public AsrModel {
 public:
  // Measured with whisper-base and whisper-tiny.en on the Asterisk calls (docs/models.md). Narrower networks round away
  // more; none was measured.
  static constexpr AccuracyGuard Guard(int64_t width) {
    return width < 384 ? AccuracyGuard{} : AccuracyGuard{.bf16 = true, .int8 = true};
  }

  static absl::StatusOr<std::shared_ptr<const Whisper>> Load(const ModelPackage& package, const WeightSource& source,
                                                             ComputeType compute_type);

  const FeatureExtractor* frontend() const override { return features_.get(); }
  std::string_view family() const override { return "whisper"; }
  ComputeType compute_type() const override { return decoder_.dims().compute_type; }
  // One decoding's worth, in the default options.
  void Recognise(const ScatteredBatch& features, Workspace& workspace, std::span<Hypothesis> hypotheses) const override;
  std::unique_ptr<Decoding> NewDecoding() const override;
  int64_t max_segment_ms(const SearchOptions& options) const override { return held_ms(options); }
  int64_t join_ms(const SearchOptions& options) const override { return held_ms(options); }
  // Measured with whisper-base (docs/performance.md): 2 windows of 30 s in the default budget, this many times.
  double batch_factor() const override { return 4; }
  int64_t batch_rows(int64_t rows, const SearchOptions& options) const override {
    return windows().Heard(rows, options.window_seconds);
  }
  bool takes_search_options() const override { return true; }
  std::vector<std::string> languages() const override;
  bool translates() const override { return package_.is_multilingual; }
  absl::Status Check(const SearchOptions& options) const override;
  SegmentText Text(const Hypothesis& hypothesis) const override;
  std::vector<SegmentText> Texts(const Hypothesis& hypothesis) const override;

  const WhisperEncoder& encoder() const { return encoder_; }
  const WhisperDecoder& decoder() const { return decoder_; }
  const WhisperVocabulary& vocabulary() const { return vocabulary_; }
  const WhisperPackage& package() const { return package_; }
  WhisperWindows windows() const { return WhisperWindows(2 * package_.sizes.encoder_positions); }

  // What the decoder is told and asked, with `previous` as the text before; `spoken` is the language where the options
  // leave it to be found and it is known. InvalidArgument names the option and what it may be.
  absl::StatusOr<WhisperDecodeOptions> Translate(const SearchOptions& options, std::span<const int32_t> previous = {},
                                                 std::string_view spoken = {}) const;
  // The code of the language that was found, or for another token that of the one that was given.
  std::string LanguageOf(int32_t language, const SearchOptions& options) const;
  // The words of tokens, without what is none and without spaces around them.
  std::string PlainText(std::span<const int32_t> tokens) const;

 private:
  // [start of previous, hotwords, text before], or nothing.
  absl::StatusOr<std::vector<int32_t>> TextBefore(const SearchOptions& options,
                                                  std::span<const int32_t> previous) const;
  absl::StatusOr<std::vector<int32_t>> Suppressed(std::string_view ids) const;

  Whisper(WhisperPackage package, WhisperVocabulary vocabulary, std::shared_ptr<const LogMel> features,
          WhisperEncoder encoder, WhisperDecoder decoder);

  int64_t held_ms(const SearchOptions& options) const {
    return windows().Held(options.window_seconds) * 1000 / LogMel::kFramesPerSecond;
  }

  const WhisperPackage package_;
  const WhisperVocabulary vocabulary_;
  const std::shared_ptr<const LogMel> features_;
  const WhisperEncoder encoder_;
  const WhisperDecoder decoder_;
};

}  // namespace tutti
