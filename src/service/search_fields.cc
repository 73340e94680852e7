#include "service/search_fields.h"

#include <array>
#include <string>

namespace tutti {
namespace {

struct TextField {
  const char* name;
  std::string SearchOptions::*field;
};
constexpr std::array kTexts = {
    TextField{"language", &SearchOptions::language}, TextField{"initial_prompt", &SearchOptions::initial_prompt},
    TextField{"hotwords", &SearchOptions::hotwords}, TextField{"prefix", &SearchOptions::prefix}};

struct NumberField {
  const char* name;
  float SearchOptions::*field;
  double least, most;
};
constexpr std::array kNumbers = {
    NumberField{"patience", &SearchOptions::patience, 0.01, 100},
    NumberField{"length_penalty", &SearchOptions::length_penalty, -1e6, 1e6},
    NumberField{"repetition_penalty", &SearchOptions::repetition_penalty, 0.01, 1e6},
    NumberField{"no_speech_threshold", &SearchOptions::no_speech_threshold, 0, 1},
    NumberField{"log_prob_threshold", &SearchOptions::log_prob_threshold, -1e6, 0},
};

struct CountField {
  const char* name;
  int SearchOptions::*field;
  int64_t least, most;
};
constexpr std::array kCounts = {CountField{"beam_size", &SearchOptions::beam_size, 1, 100},
                                CountField{"no_repeat_ngram_size", &SearchOptions::no_repeat_ngram_size, 0, 448},
                                CountField{"max_new_tokens", &SearchOptions::max_new_tokens, 0, 448}};

}  // namespace

absl::Status ReadSearchOptions(const Fields& fields, SearchOptions& options) {
  for (const auto& [name, field] : kTexts) options.*field = fields.Text(name, options.*field);
  for (const auto& [name, field, least, most] : kNumbers) {
    TUTTI_ASSIGN_OR_RETURN(const double value, fields.Number(name, static_cast<double>(options.*field), least, most));
    if (fields.Has(name)) options.*field = static_cast<float>(value);
  }
  for (const auto& [name, field, least, most] : kCounts) {
    TUTTI_ASSIGN_OR_RETURN(const int64_t value, fields.Integer(name, options.*field, least, most));
    options.*field = static_cast<int>(value);
  }
  TUTTI_ASSIGN_OR_RETURN(const std::string task, fields.Choice("task", {"transcribe", "translate"}));
  if (fields.Has("task")) options.task = task == "translate" ? Task::kTranslate : Task::kTranscribe;
  return absl::OkStatus();
}

}  // namespace tutti
