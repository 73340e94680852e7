#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tutti/transcript.h"

namespace tutti {

// One subtitle.
struct Cue {
  int64_t start_ms = 0;
  int64_t end_ms = 0;
  std::string text;
};

// A segment as subtitles: one, or several of at most `max_ms` and `max_columns` (a wide character counts two) when the
// segment is longer than that and its tokens have times. Cuts fall between tokens and keep the segment's own text; of
// the places where a subtitle can end, the last one after a sentence or before a pause is taken, else the last one
// after a clause, else the last one.
std::vector<Cue> MakeCues(const Segment& segment, int64_t max_ms = 7000, int max_columns = 84);

}  // namespace tutti
