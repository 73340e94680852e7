#include "cli/search_flags.h"

#include <fmt/format.h>

#include "cli/number_check.h"

namespace tutti {
namespace {

constexpr const char* kSearchGroup = "Search (models that write token by token, as Whisper)";

void AddText(CLI::App& app, const char* name, std::string& to, const char* value, const char* help) {
  app.add_option(name, to, help)->option_text(value)->group(kSearchGroup);
}

template <typename T>
void AddNumber(CLI::App& app, const char* name, T& to, double least, double most, const char* value, const char* help) {
  app.add_option(name, to, help)
      ->check(NumberBetween(least, most))
      ->option_text(value)
      ->default_str(fmt::format("{}", to))
      ->group(kSearchGroup);
}

}  // namespace

void SearchFlags::AddTo(CLI::App& app) {
  constexpr double kAny = 1e6;
  AddText(app, "--language", options_.language, "CODE",
          "the language that is spoken, as en or zh; the model finds it for each segment where none is given");
  app.add_option("--task", task_, "write what is said, or its translation into English")
      ->check(CLI::IsMember({"transcribe", "translate"}))
      ->option_text("transcribe|translate")
      ->default_str(task_)
      ->group(kSearchGroup);
  AddNumber(app, "--beam-size", options_.beam_size, 1, 100, "N",
            "hypotheses that are followed; 1 is greedy and fastest");
  AddNumber(app, "--patience", options_.patience, 0.01, 100, "X", "ends the search after X times as many of them");
  AddNumber(app, "--length-penalty", options_.length_penalty, -kAny, kAny, "X",
            "a hypothesis counts by its log-probability / tokens ^ X");
  AddNumber(app, "--repetition-penalty", options_.repetition_penalty, 0.01, kAny, "X",
            "above 1: what was said before is less likely");
  AddNumber(app, "--no-repeat-ngram-size", options_.no_repeat_ngram_size, 0, 448, "N",
            "no N tokens stand twice in a segment's text; 0: they may");
  AddNumber(app, "--no-speech-threshold", options_.no_speech_threshold, 0, 1, "P",
            "a segment more likely silent than P, and unlikely as text, has none");
  AddNumber(app, "--log-prob-threshold", options_.log_prob_threshold, -kAny, 0, "X",
            "text of a lower mean log-probability is unlikely");
  AddText(app, "--initial-prompt", options_.initial_prompt, "TEXT", "text that is taken to stand before each segment");
  AddText(app, "--hotwords", options_.hotwords, "WORDS", "words to expect, where there is no --initial-prompt");
  AddText(app, "--prefix", options_.prefix, "TEXT", "how each segment's text begins");
  AddNumber(app, "--max-new-tokens", options_.max_new_tokens, 0, 448, "N",
            "tokens of a segment; 0: as many as the model can");
}

SearchOptions SearchFlags::options() const {
  SearchOptions options = options_;
  options.task = task_ == "translate" ? Task::kTranslate : Task::kTranscribe;
  return options;
}

}  // namespace tutti
