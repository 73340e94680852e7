#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "tutti/search_options.h"

namespace tutti {

// The fields of SearchOptions but `task`, by name: form fields and Python's arguments are called so, options of the
// command line with dashes. Everything that lists options of the search, their ranges or their help goes through these.
struct SearchText {
  const char* name;
  std::string SearchOptions::*field;
  const char* value;  // what a help text calls the value
  const char* help;
};
inline constexpr std::array kSearchTexts = {
    SearchText{"language", &SearchOptions::language, "CODE",
               "the language that is spoken, as en or zh; the model finds it where none is given"},
    SearchText{"initial_prompt", &SearchOptions::initial_prompt, "TEXT",
               "text that is taken to stand before each segment"},
    SearchText{"hotwords", &SearchOptions::hotwords, "WORDS", "words to expect, where there is no --prefix"},
    SearchText{"prefix", &SearchOptions::prefix, "TEXT", "how each segment's text begins"},
    SearchText{
        "suppress_tokens", &SearchOptions::suppress_tokens, "ID,…",
        "tokens that are never taken, besides those that are no text; -1, the default: symbols that nobody says"},
};

template <typename T>
struct SearchNumber {
  const char* name;
  T SearchOptions::*field;
  double least, most;
  const char* value;
  const char* help;
};
inline constexpr double kAnySearchNumber = 1e6;
inline constexpr std::array kSearchNumbers = {
    SearchNumber<float>{"patience", &SearchOptions::patience, 0.01, 100, "X",
                        "ends the search after X times as many of them"},
    SearchNumber<float>{"length_penalty", &SearchOptions::length_penalty, -kAnySearchNumber, kAnySearchNumber, "X",
                        "a hypothesis counts by its log-probability / tokens ^ X"},
    SearchNumber<float>{"repetition_penalty", &SearchOptions::repetition_penalty, 0.01, kAnySearchNumber, "X",
                        "above 1: what was said before is less likely"},
    SearchNumber<float>{"no_speech_threshold", &SearchOptions::no_speech_threshold, 0, 1, "P",
                        "a segment more likely silent than P, and unlikely as text, has none"},
    SearchNumber<float>{"log_prob_threshold", &SearchOptions::log_prob_threshold, -kAnySearchNumber, 0, "X",
                        "text of a lower mean log-probability is unlikely"},
    SearchNumber<float>{"compression_ratio_threshold", &SearchOptions::compression_ratio_threshold, 0, kAnySearchNumber,
                        "X", "text that zlib makes more than X times smaller is unlikely: it repeats itself"},
    SearchNumber<float>{"prompt_reset_on_temperature", &SearchOptions::prompt_reset_on_temperature, 0, kAnySearchNumber,
                        "X", "text found above this temperature does not stand before the next segment"},
};
inline constexpr std::array kSearchCounts = {
    SearchNumber<int>{"beam_size", &SearchOptions::beam_size, 1, 100, "N",
                      "hypotheses that are followed; 1 is greedy and fastest"},
    SearchNumber<int>{"no_repeat_ngram_size", &SearchOptions::no_repeat_ngram_size, 0, 448, "N",
                      "no N tokens stand twice in a segment's text; 0: they may"},
    SearchNumber<int>{"max_new_tokens", &SearchOptions::max_new_tokens, 0, 448, "N",
                      "tokens of a segment; 0: as many as the model can"},
    SearchNumber<int>{"best_of", &SearchOptions::best_of, 1, 64, "N",
                      "hypotheses that are drawn at a temperature above 0"},
};

struct SearchList {
  const char* name;
  std::vector<float> SearchOptions::*field;
  double least, most;
  const char* value;
  const char* help;
};
inline constexpr std::array kSearchLists = {
    SearchList{
        "temperature", &SearchOptions::temperature, 0, 100, "X,…",
        "unlikely text is looked for again at the next of these; 0 is the likeliest text, above it text is drawn"},
};

struct SearchSwitch {
  const char* name;
  bool SearchOptions::*field;
  const char* help;
};
inline constexpr std::array kSearchSwitches = {
    SearchSwitch{"condition_on_previous_text", &SearchOptions::condition_on_previous_text,
                 "take each segment's text to stand before the next one's; a recording's segments then wait for each "
                 "other"},
    SearchSwitch{
        "multilingual", &SearchOptions::multilingual,
        "find the language for each segment, as it is by default; =false: the first segment with text has that "
        "of the whole recording"},
    SearchSwitch{"suppress_blank", &SearchOptions::suppress_blank,
                 "no segment begins with its end or a space alone, as it is by default; =false: it may"},
    SearchSwitch{"without_timestamps", &SearchOptions::without_timestamps,
                 "a window of joined speech is one segment, as it is by default; =false: it is divided by times that "
                 "the model makes"},
    SearchSwitch{"word_timestamps", &SearchOptions::word_timestamps, "words have times"},
};

struct SearchChoice {
  const char* name;
  int SearchOptions::*field;
  std::array<std::pair<const char*, int>, 5> choices;  // the first is the default
  const char* help;
};
inline constexpr std::array kSearchChoices = {
    SearchChoice{"window_seconds",
                 &SearchOptions::window_seconds,
                 {{{"auto", 0}, {"10", 10}, {"15", 15}, {"20", 20}, {"30", 30}}},
                 "speech that is joined and heard at a time; auto: the length that costs no accuracy"},
};

}  // namespace tutti
