#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tutti {

// A word or a Chinese character.
struct Token {
  std::string text;
  // From the start of the recording; none where the model has no times, or was not asked for them.
  std::optional<int64_t> start_ms;
  std::optional<int64_t> end_ms;
  float score = 0;  // mean log-probability, ≤ 0
};

// A stretch of speech between two pauses.
struct Segment {
  int64_t start_ms = 0;
  int64_t end_ms = 0;
  int channel = 0;  // 0 when channels were mixed
  std::string text;
  std::vector<Token> tokens;
  // What a model that finds its text token by token, such as Whisper, says of the window that the segment is in, under
  // faster-whisper's names. None or empty with other models.
  std::optional<float> avg_logprob = {};        // mean log-probability of the tokens and the end, ≤ 0
  std::optional<float> no_speech_prob = {};     // 0 … 1
  std::optional<float> compression_ratio = {};  // bytes of the text / of what zlib makes of it: high where it repeats
  std::optional<float> temperature = {};        // at which the text was found; 0: no draws
  std::string language = {};                    // of the speech: "en", "zh", …
  std::optional<float> language_probability = {};  // 0 … 1; 1 where the caller named the language
  std::vector<int32_t> token_ids = {};             // what the text was made of, in the model's vocabulary
};

// Where the time of one recording went, in seconds. CPU work is added up over its segments; a batch's time is shared
// out by frames. Waiting in queues is in `wall` only.
struct Timings {
  double decode = 0;
  double vad = 0;
  double features = 0;
  double recognise = 0;
  double wall = 0;  // from Submit to the result
};

struct Transcript {
  std::string file;  // the name given with the input
  int64_t duration_ms = 0;
  int channels = 1;  // transcribed separately
  std::string text;
  std::vector<Segment> segments;  // by start, then channel
  bool truncated = false;         // the audio broke off; what could be decoded was transcribed
  // What most of the speech that has text is in; empty where no segment says. The probability is the mean over that
  // speech.
  std::string language;
  std::optional<float> language_probability;
  std::string model;
  std::string compute_type;
  Timings timings;
};

}  // namespace tutti
