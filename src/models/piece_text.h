#pragma once

#include <span>

#include "models/token_text.h"

namespace tutti {

// SentencePiece pieces to text (spec §9): pieces stand end to end, U+2581 is a space. Rich tags ("<|zh|>", "<|HAPPY|>")
// and the pieces that stand for no text (<s>, </s>, <unk>) are dropped.
//
// A unit is a word of letters, or any other piece alone: a Chinese character, a mark.
SegmentText TextFromPieces(std::span<const ScoredToken> pieces);

}  // namespace tutti
