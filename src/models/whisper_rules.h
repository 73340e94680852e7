#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "checkpoint/whisper_package.h"

namespace tutti {

// The ids of what is not text in a Whisper vocabulary (whisper spec §5), which differ from model to model.
struct WhisperVocabulary {
  static WhisperVocabulary Of(const WhisperPackage& package);

  int32_t end = 50257;  // all ids below are text
  int32_t start = 50258;
  int32_t translate = 50358;
  int32_t transcribe = 50359;
  int32_t start_of_previous = 50361;
  int32_t no_speech = 50362;
  int32_t no_timestamps = 50363;
  int32_t first_time = 50364;  // times go on to the vocabulary's end, in steps of 20 ms
  int32_t vocabulary = 51865;
  std::vector<int32_t> languages = {};       // empty: English only
  std::vector<int32_t> suppress = {};        // never text: symbols and what is not for the decoder to say
  std::vector<int32_t> suppress_begin = {};  // not the first token: nothing at all
};

struct WhisperRuleOptions {
  bool timestamps = false;
  std::vector<int32_t> suppress = {};  // ids that are never taken; of WhisperVocabulary, or others
  bool suppress_blank = true;          // the ids of suppress_begin at the first step
  int32_t max_initial_timestamp = 50;  // the first time, in steps of 20 ms
  float repetition_penalty = 1;        // above 1: what was said before is less likely
  int64_t no_repeat_ngram_size = 0;    // 0: no such rule
};

// What a hypothesis may go on with, as CTranslate2 has it: the given suppressions, OpenAI's rules for times, and
// against repetitions.
//
// Immutable; safe from any thread. `tokens` outlives it.
class WhisperRules {
 public:
  WhisperRules(const WhisperVocabulary& tokens, WhisperRuleOptions options);

  // Changes `logits` [vocabulary] of the token that follows `history`, of which the first `given` tokens were not the
  // decoder's choice: what is forbidden becomes the lowest float.
  void Apply(std::span<const int32_t> history, int64_t given, std::span<float> logits) const;

 private:
  void PenaliseRepetition(std::span<const int32_t> history, std::span<float> logits) const;
  void ForbidRepeatedNgrams(std::span<const int32_t> history, std::span<float> logits) const;
  void ApplyTimes(std::span<const int32_t> history, int64_t given, std::span<float> logits) const;

  const WhisperVocabulary& tokens_;
  const WhisperRuleOptions options_;
};

}  // namespace tutti
