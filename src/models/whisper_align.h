#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "models/whisper_decoder.h"
#include "models/whisper_rules.h"
#include "nn/cross_attention.h"
#include "nn/workspace.h"

namespace tutti {

// When the tokens of a text were spoken, by where the decoder looked when it heard them (whisper spec §5).
struct WhisperAlignment {
  // Steps of token and row of the encoding, 20 ms each, from the first of both to the last: token i of the text begins
  // where its number first appears, text.size() stands for the end.
  std::vector<std::pair<int64_t, int64_t>> path;
  std::vector<float> probs;  // of each token among all text, after those before it
};

// `start` is the prompt up to the task, `heads` (layer, head) are those that the model's package names, and `frames` of
// the window's features are audio. What CTranslate2's align() gives, to the last step of the path where numbers do not
// tie. Without text or audio, empty. start.size() + text.size() + 2 tokens are within the decoder's positions.
WhisperAlignment AlignWhisper(const WhisperDecoder& decoder, const WhisperVocabulary& tokens,
                              std::span<const std::pair<int64_t, int64_t>> heads, const CrossMemory& memory,
                              std::span<const int32_t> start, std::span<const int32_t> text, int64_t frames,
                              Workspace& workspace);

}  // namespace tutti
