#include "models/whisper_fallback.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "models/compression_ratio.h"
#include "models/token_loop.h"

namespace tutti {

WhisperFallback::WhisperFallback(const SearchOptions& options, WhisperDecodeOptions decode, int32_t start,
                                 double seconds)
    : options_(options), start_(start), decode_(std::move(decode)), least_tokens_(LeastTokens(seconds)) {
  decode_.most_tokens = MostTokens(seconds);
  SetTemperature(options.temperature.front());
}

int64_t WhisperFallback::MostTokens(double seconds) {
  constexpr double kTokensPerSecond = 40, kTokensOfAnyText = 16;
  return static_cast<int64_t>(kTokensPerSecond * seconds + kTokensOfAnyText);
}

int64_t WhisperFallback::LeastTokens(double seconds) {
  constexpr double kTokensPerSecond = 1.5, kTooShort = 10;
  return seconds < kTooShort ? 0 : static_cast<int64_t>(kTokensPerSecond * seconds);
}

void WhisperFallback::SetTemperature(float temperature) {
  decode_.temperature = temperature;
  decode_.beam_size = temperature > 0 ? 1 : options_.beam_size;
  decode_.best_of = temperature > 0 ? options_.best_of : 1;
  decode_.seed = std::bit_cast<uint32_t>(temperature);
}

bool WhisperFallback::HasNoEnd(const WhisperSequence& sequence) const {
  if (sequence.end == WhisperEnd::kLoop) return true;
  return sequence.end == WhisperEnd::kLength &&
         std::ssize(sequence.tokens) >= std::ssize(decode_.prefix) + decode_.most_tokens;
}

bool WhisperFallback::SaysLittle(const WhisperSequence& sequence) const {
  return decode_.temperature == 0 && decode_.beam_size > 1 && sequence.end == WhisperEnd::kToken &&
         std::ssize(sequence.tokens) < least_tokens_;
}

bool WhisperFallback::IsSilence(const WhisperSequence& sequence, bool at_last) const {
  // 0.6 and -1 by default; then 0.9 and -0.25 are next to certain, and 0.4 is possible. Speech came to 0.81 at most,
  // and to less than 0.4 where it was unlikely at every temperature.
  const float likely = options_.no_speech_threshold, rest = 1 - likely;
  const float unlikely = options_.log_prob_threshold;
  const float mean_log_prob = sequence.mean_log_prob();
  if (no_speech_prob_ > likely) {
    if (mean_log_prob < unlikely) return true;
    if (CutLoops(sequence.tokens, start_).size() < sequence.tokens.size()) return true;
  }
  if (no_speech_prob_ > likely + 0.75F * rest && mean_log_prob < 0.25F * unlikely) return true;
  return at_last && no_speech_prob_ > likely - 0.5F * rest && mean_log_prob < unlikely;
}

bool WhisperFallback::Take(WhisperResult result, std::string_view text) {
  Found found;
  found.sequence = std::move(result.sequences.front());
  found.compression_ratio = CompressionRatio(text);
  no_speech_prob_ = result.no_speech_prob;
  if (decode_.detect_language) {
    language_ = result.language;
    language_prob_ = result.language_prob;
    decode_.detect_language = false;
    *(std::ranges::find(decode_.prompt, start_) + 1) = language_;
  }
  const float mean = found.sequence.mean_log_prob();
  const bool is_unsure = mean < options_.log_prob_threshold;
  found.runs_away = found.compression_ratio > options_.compression_ratio_threshold || HasNoEnd(found.sequence);
  found.is_silence = IsSilence(found.sequence, false);
  if (is_second_) {
    if (!found.is_silence && !found.runs_away && mean > best_->sequence.mean_log_prob()) best_ = std::move(found);
    return false;
  }
  if (found.is_silence || (!found.runs_away && !is_unsure)) {
    is_second_ = !found.is_silence && SaysLittle(found.sequence);
    best_ = std::move(found);
    if (is_second_) decode_.beam_size = 1;
    return is_second_;
  }
  // Of those that are all unlikely: the likeliest that does not repeat itself, or else of all.
  const auto rank = [](const Found& one) { return std::pair(!one.runs_away, one.sequence.mean_log_prob()); };
  if (!best_ || rank(found) > rank(*best_)) best_ = std::move(found);
  if (next_ == options_.temperature.size()) {
    best_->is_silence = IsSilence(best_->sequence, true);
    return false;
  }
  SetTemperature(options_.temperature[next_++]);
  return true;
}

}  // namespace tutti
