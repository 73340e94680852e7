#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tutti {

// A piece of text with what is known of it: a word or a Chinese character after token post-processing (spec §7.1).
struct TextUnit {
  std::string text;
  int64_t start_ms = -1;  // from the segment's start; -1: unknown
  int64_t end_ms = -1;
  float score = 0;  // mean log-probability of its tokens
};

// What was found in one segment. ids exclude blank, times and the marks of begin and end.
struct Hypothesis {
  // A part of the segment, where the model divides it itself: so many of the ids and words, from where the part before
  // ended, in this time from the segment's start.
  struct Part {
    size_t ids = 0;
    size_t words = 0;
    int64_t start_ms = 0;
    int64_t end_ms = 0;
  };

  std::vector<int32_t> ids;
  std::vector<float> scores;  // log-probability of each id
  // Start and end of each id in ms from the segment's start; empty where the model has no times.
  std::vector<std::pair<int64_t, int64_t>> times;
  std::vector<Part> parts = {};      // empty: one, all of the segment
  std::vector<TextUnit> words = {};  // of models that time words and not ids; they lie within the segment
  // As in tutti::Segment; of models that find tokens one by one.
  std::optional<float> avg_logprob = {};
  std::optional<float> no_speech_prob = {};
  std::optional<float> compression_ratio = {};
  std::optional<float> temperature = {};
  std::string language = {};
  std::optional<float> language_probability = {};
};

}  // namespace tutti
