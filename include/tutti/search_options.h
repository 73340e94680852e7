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
  // "en", "zh", … or "english", "chinese", …; empty or "auto": found by the model, for each segment
  std::string language;
  Task task = Task::kTranscribe;  // kTranslate: into English
  int beam_size = 5;              // 1: greedy
  float patience = 1;
  float length_penalty = 1;
  float repetition_penalty = 1;
  int no_repeat_ngram_size = 0;
  // Above it, and with a mean log-probability below log_prob_threshold, what was found is taken for silence.
  float no_speech_threshold = 0.6F;
  float log_prob_threshold = -1.0F;
  std::string initial_prompt;  // text that is taken to stand before each segment
  std::string hotwords;        // likewise, where there is no initial_prompt
  std::string prefix;          // how each segment's text begins
  int max_new_tokens = 0;      // of a segment; 0: as many as the model can

  bool operator==(const SearchOptions&) const = default;
};

// For callers that have options as text: the names of all fields, and one field set by its name ("task" to "transcribe"
// or "translate", switches to "true" or "false"). NotFound when there is no such field, InvalidArgument with what the
// value may be; `options` stay as they are then. Whether a model can follow them it says when it gets the request.
std::vector<std::string> SearchOptionNames();
absl::Status SetSearchOption(std::string_view name, std::string_view value, SearchOptions& options);

}  // namespace tutti
