#include "models/whisper_rules.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "nn/token_ops.h"

namespace tutti {
namespace {

constexpr float kForbidden = std::numeric_limits<float>::lowest();

void Forbid(std::span<float> logits, int64_t first, int64_t end) {
  end = std::min(end, static_cast<int64_t>(logits.size()));
  if (first < end) std::fill(logits.begin() + first, logits.begin() + end, kForbidden);
}

void Forbid(std::span<float> logits, std::span<const int32_t> ids) {
  for (const int32_t id : ids) Forbid(logits, id, id + 1);
}

}  // namespace

WhisperVocabulary WhisperVocabulary::Of(const WhisperPackage& package) {
  WhisperVocabulary vocabulary = {.end = package.tokens.end,
                                  .start = package.tokens.start,
                                  .translate = package.tokens.translate,
                                  .transcribe = package.tokens.transcribe,
                                  .start_of_previous = package.tokens.start_of_previous,
                                  .no_speech = package.tokens.no_speech,
                                  .no_timestamps = package.tokens.no_times,
                                  .first_time = package.tokens.first_time,
                                  .vocabulary = static_cast<int32_t>(package.sizes.vocabulary),
                                  .suppress = package.suppressed,
                                  .suppress_begin = package.suppressed_first};
  for (const WhisperLanguage& language : package.languages) vocabulary.languages.push_back(language.token);
  return vocabulary;
}

WhisperRules::WhisperRules(const WhisperVocabulary& tokens, WhisperRuleOptions options)
    : tokens_(tokens), options_(std::move(options)) {}

void WhisperRules::Apply(std::span<const int32_t> history, int64_t given, std::span<float> logits) const {
  if (options_.repetition_penalty != 1) PenaliseRepetition(history, logits);
  if (options_.no_repeat_ngram_size > 0) ForbidRepeatedNgrams(history, logits);
  Forbid(logits, options_.suppress);
  if (options_.suppress_blank && static_cast<int64_t>(history.size()) == given) {
    Forbid(logits, tokens_.suppress_begin);
  }
  if (options_.timestamps) ApplyTimes(history, given, logits);
}

void WhisperRules::PenaliseRepetition(std::span<const int32_t> history, std::span<float> logits) const {
  const float penalty = options_.repetition_penalty;
  for (const int32_t id : std::set<int32_t>(history.begin(), history.end())) {
    float& logit = logits[static_cast<size_t>(id)];
    logit = logit < 0 ? logit * penalty : logit / penalty;
  }
}

void WhisperRules::ForbidRepeatedNgrams(std::span<const int32_t> history, std::span<float> logits) const {
  const auto size = static_cast<size_t>(options_.no_repeat_ngram_size);
  if (history.size() < size) return;
  const auto last = history.last(size - 1);
  for (size_t i = 0; i + size <= history.size(); ++i) {
    if (std::ranges::equal(history.subspan(i, size - 1), last)) {
      const int32_t id = history[i + size - 1];
      Forbid(logits, id, id + 1);
    }
  }
}

void WhisperRules::ApplyTimes(std::span<const int32_t> history, int64_t given, std::span<float> logits) const {
  const int32_t first_time = tokens_.first_time;
  const auto is_time = [first_time](int32_t id) { return id >= first_time; };
  Forbid(logits, tokens_.no_timestamps, tokens_.no_timestamps + 1);
  const auto found = history.subspan(static_cast<size_t>(given));
  if (found.empty()) {
    if (given > 0) return;
    Forbid(logits, 0, first_time);
    Forbid(logits, first_time + options_.max_initial_timestamp + 1, tokens_.vocabulary);
    return;
  }
  if (is_time(found.back())) {
    if (found.size() == 1 || is_time(found[found.size() - 2])) {  // a pair is complete: text follows, or the end
      return Forbid(logits, first_time, tokens_.vocabulary);
    }
    Forbid(logits, 0, tokens_.end);  // the end of a stretch of text: its twin follows, or the end
    Forbid(logits, first_time, found.back());
  } else if (const auto last = std::ranges::find_if(found.rbegin(), found.rend(), is_time); last != found.rend()) {
    Forbid(logits, first_time, *last + 1);
  }
  // Where all times together are more likely than any text, a time it is.
  const float times = LogSumExp(logits.data() + first_time, tokens_.vocabulary - first_time);
  if (times > ArgMax(logits.data(), first_time).value) Forbid(logits, 0, first_time);
}

}  // namespace tutti
