#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace tutti {

enum class Task { kTranscribe, kTranslate };

// How a model that finds its text token by token, such as Whisper, looks for it; names and defaults are
// faster-whisper's. Models that decide on all tokens at once take the defaults only.
struct SearchOptions {
  // "en", "zh", … or "english", "chinese", …; empty or "auto": found by the model
  std::string language;
  // A language that is found is found for each segment. False: that of the first segment with text holds for all of a
  // recording's channel, which then waits for it.
  bool multilingual = true;
  Task task = Task::kTranscribe;  // kTranslate: into English
  int beam_size = 5;              // 1: greedy
  float patience = 1;
  float length_penalty = 1;
  float repetition_penalty = 1;
  int no_repeat_ngram_size = 0;
  // Above it, and with a mean log-probability below log_prob_threshold, what was found is taken for silence.
  float no_speech_threshold = 0.6F;
  float log_prob_threshold = -1.0F;
  // Text of a lower mean log-probability, or that zlib makes so many times smaller because it repeats itself, is looked
  // for again at the next of these temperatures. Above 0 tokens are drawn, best_of hypotheses of them; the draws are
  // the same each time.
  float compression_ratio_threshold = 2.4F;
  std::vector<float> temperature = {0, 0.2F, 0.4F, 0.6F, 0.8F, 1};
  int best_of = 5;
  std::string initial_prompt;  // text that is taken to stand before each segment
  std::string hotwords;        // before that and what was said before, where there is no prefix
  std::string prefix;          // how each segment's text begins
  int max_new_tokens = 0;      // of a segment; 0: as many as the model can
  // Ids of tokens that are never taken, with commas; -1 stands for symbols that nobody says. Tokens that are no text
  // are never taken either, unless it is empty.
  std::string suppress_tokens = "-1";
  bool suppress_blank = true;  // no segment begins with its end or with a space alone
  // Each segment's text is taken to stand before the next one's, but for text that was found above the temperature.
  // A recording's segments are then recognised one after another.
  bool condition_on_previous_text = false;
  float prompt_reset_on_temperature = 0.5F;
  // Seconds of speech that are joined to a window, which is what the encoder hears at a time: 10 to 30. 0, auto: up to
  // as much as the model can take, and the encoder hears no more than is needed for the text to be as good.
  int window_seconds = 0;
  bool without_timestamps = true;  // a window is one segment; false: it is divided by times that the decoder makes
  bool word_timestamps = false;    // words have times

  bool operator==(const SearchOptions&) const = default;
};

// For callers that have options as text: the names of all fields, and one field set by its name ("task" to "transcribe"
// or "translate", switches to "true" or "false", lists to "0,0.2"). NotFound when there is no such field,
// InvalidArgument with what the value may be; `options` stay as they are then. Whether a model can follow them it says
// when it gets the request.
std::vector<std::string> SearchOptionNames();
absl::Status SetSearchOption(std::string_view name, std::string_view value, SearchOptions& options);

}  // namespace tutti
