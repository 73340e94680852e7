#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "models/asr_model.h"

namespace tutti {

// A token as greedy search found it.
struct ScoredToken {
  std::string_view text;
  float score = 0;  // log-probability
  int64_t start_ms = -1;
  int64_t end_ms = -1;
};

// Tokens to text (spec §7.1): joins pieces marked "@@" to words, single letters to abbreviations ("n b a" → "NBA"),
// and drops <s>, </s>, <unk> and <OOV>. With `timed`, units are joined by one space; without, Chinese characters
// stand without spaces.
//
// As in FunASR, a last piece that promises more ("hel@@") is dropped, and a Chinese character after such a piece takes
// the piece's times. Unlike FunASR, a token that is neither Chinese nor a word keeps its times and never swallows its
// neighbours. Malformed UTF-8 passes through.
SegmentText TextFromTokens(std::span<const ScoredToken> tokens, bool timed);

}  // namespace tutti
