#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tutti {

// What was found in one segment. ids exclude blank and the marks of begin and end.
struct Hypothesis {
  std::vector<int32_t> ids;
  std::vector<float> scores;  // log-probability of each id
  // Start and end of each id in ms from the segment's start; empty where the model has no times.
  std::vector<std::pair<int64_t, int64_t>> times;
  // As in tutti::Segment; of models that find tokens one by one.
  std::optional<float> avg_logprob = {};
  std::optional<float> no_speech_prob = {};
  std::optional<float> compression_ratio = {};
  std::optional<float> temperature = {};
  std::string language = {};
  std::optional<float> language_probability = {};
};

}  // namespace tutti
