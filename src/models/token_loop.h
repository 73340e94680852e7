#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tutti {

// A decoder that has lost the speech says the same few tokens until its text is full. What it says is `tokens`, of
// which those from `first_mark` on are no text (times, the end).

// Whether the text is such a loop by now: up to 32 tokens that stand at its end over and over again, six times and 48
// tokens at least. Nobody speaks so, and no text that ends by itself was seen to come near.
bool RunsInLoop(std::span<const int32_t> tokens, int32_t first_mark);

// The tokens with each run of four or more of the same cut to the first, if it is 12 tokens at least; marks that belong
// to what is cut go with it.
std::vector<int32_t> CutLoops(std::span<const int32_t> tokens, int32_t first_mark);

}  // namespace tutti
