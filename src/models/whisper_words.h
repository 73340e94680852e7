#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/byte_bpe.h"
#include "models/whisper_align.h"
#include "models/whisper_segments.h"

namespace tutti {

// A word of a window's text and when it was spoken.
struct WhisperWord {
  std::string text = {};  // with the space before it; empty where it became part of a neighbour
  size_t tokens = 0;      // of the text, from where the word before ended
  int64_t start_ms = 0;   // from the window's beginning
  int64_t end_ms = 0;
  float probability = 0;  // mean of its tokens'

  bool operator==(const WhisperWord&) const = default;
};

// Languages that put no space between words. Their words are as few tokens as are whole letters.
bool WritesWithoutSpaces(std::string_view language);

// The words of `text`, which are words' tokens only, and their times, as faster-whisper finds them: cut before spaces
// and punctuation, or after any letter where `language` writes without spaces. None where the alignment is empty.
std::vector<WhisperWord> FindWords(const ByteBpe& bpe, std::string_view language, std::span<const int32_t> text,
                                   const WhisperAlignment& alignment);

// Makes opening punctuation part of the word that follows and closing punctuation of the one before, whose times they
// get.
void MergePunctuation(std::vector<WhisperWord>& words);

// FindWords' words, with their punctuation, of each stretch of the text; the stretches hold all its tokens in order.
// Words that last far longer than most of the window's, at the ends of sentences and of stretches, are shortened as
// faster-whisper does it, and a stretch begins and ends with its words unless those begin or end half a second outside
// of it. Of the window's past it knows nothing: speech before the window counts as ended where it begins.
std::vector<std::vector<WhisperWord>> WordsOfStretches(std::vector<WhisperWord> words,
                                                       std::span<WhisperStretch> stretches);

}  // namespace tutti
