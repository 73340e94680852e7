#pragma once

#include <cstdint>
#include <span>

namespace tutti {

// Where to cut a stretch of speech that is as long as a segment may be: the middle of its quietest 200 ms among the
// last third (15 s at most), but not so late that a mere click is left for the next segment. In samples from the start,
// a multiple of 160 (10 ms); the latest of equals. A function of these samples alone; 16 kHz, at least a second.
int64_t QuietestCut(std::span<const float> samples);

}  // namespace tutti
