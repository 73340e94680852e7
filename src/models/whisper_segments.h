#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/whisper_rules.h"

namespace tutti {

// A stretch of a window's text between two times that the decoder made.
struct WhisperStretch {
  std::vector<int32_t> words = {};  // its tokens without the times
  int64_t start_ms = 0;             // from the window's beginning
  int64_t end_ms = 0;
};

// The stretches of what was found in a window of so much audio, as faster-whisper divides it: at each pair of times.
// Where no pair is, one stretch from the window's beginning to the time behind it, or to the window's end. Text behind
// the last pair that has no end is a stretch up to the window's end; faster-whisper listens again from there on, or
// loses it when it works on windows in batches. Stretches without words are left out. Times are within the window and
// do not decrease, whatever the tokens.
std::vector<WhisperStretch> DivideByTimes(std::span<const int32_t> found, const WhisperVocabulary& tokens,
                                          int64_t window_ms);

}  // namespace tutti
