#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "checkpoint/byte_bpe.h"
#include "checkpoint/model_package.h"

namespace tutti {

// Sizes of a Whisper network, from the shapes of its tensors. All are positive; heads divide the width.
struct WhisperSizes {
  int64_t mels = 0;   // of a frame of features: 80 or 128
  int64_t width = 0;  // of a row, in encoder and decoder
  int64_t encoder_layers = 0;
  int64_t encoder_heads = 0;
  int64_t encoder_units = 0;      // of a feed-forward layer
  int64_t encoder_positions = 0;  // rows of encoder output at most: half as many as frames, 20 ms each
  int64_t decoder_layers = 0;
  int64_t decoder_heads = 0;
  int64_t decoder_units = 0;
  int64_t decoder_positions = 0;  // tokens of prompt and text at most
  int64_t vocabulary = 0;
};

// Tokens that are no words, found by their text. Words are all those below `end`, times all from `first_time` on, which
// is 0 s, in steps of 20 ms.
struct WhisperTokens {
  int32_t end = 0;    // <|endoftext|>
  int32_t start = 0;  // <|startoftranscript|>
  int32_t translate = 0;
  int32_t transcribe = 0;
  int32_t start_of_previous = 0;  // <|startofprev|>
  int32_t no_speech = 0;          // <|nospeech|> or <|nocaptions|>
  int32_t no_times = 0;           // <|notimestamps|>
  int32_t first_time = 0;         // <|0.00|>
};

struct WhisperLanguage {
  std::string code;  // "en", "yue"
  int32_t token = 0;
};

struct WhisperHead {
  int64_t layer = 0;  // of the decoder
  int64_t head = 0;
};

// What a Whisper model has besides its weights, checked: from a ModelPackage of model_type "Whisper", whichever format
// it was read from. The weights have CTranslate2's names (whisper spec §2) and are not checked beyond what the sizes
// come from.
//
// Immutable, safe from any thread.
struct WhisperPackage {
  // InvalidArgument names the package's file and the tensor, key or token.
  static absl::StatusOr<WhisperPackage> From(const ModelPackage& package);

  // Null for a code that the model has no token for; an English-only model has none at all.
  const WhisperLanguage* FindLanguage(std::string_view code) const;

  WhisperSizes sizes;
  WhisperTokens tokens;
  // An English-only model has a vocabulary of 51,864 tokens and takes neither language nor task in its prompt.
  bool is_multilingual = true;
  std::vector<WhisperLanguage> languages;    // by token; empty for an English-only model
  std::vector<WhisperHead> alignment_heads;  // whose cross-attention follows the speech; never empty
  std::vector<int32_t> suppressed;           // never chosen, by token
  std::vector<int32_t> suppressed_first;     // not chosen as the first token either
  ByteBpe bpe;
};

}  // namespace tutti
