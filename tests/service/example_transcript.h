#pragma once

#include "tutti/transcript.h"

namespace tutti::testing {

// Two segments of two words; the last word has no times.
inline Transcript ExampleTranscript() {
  Transcript transcript;
  transcript.file = "a.wav";
  transcript.duration_ms = 2345;
  transcript.text = "hello there 你好";
  transcript.segments = {{100, 1000, 0, "hello there", {{"hello", 100, 500, -0.5F}, {"there", 500, 1000, -0.25F}}},
                         {1200, 2000, 0, "你好", {{"你", 1200, 1500, -1.0F}, {"好", {}, {}, -2.0F}}}};
  transcript.model = "fake";
  transcript.compute_type = "f32";
  transcript.timings = {.decode = 0.1, .vad = 0.2, .features = 0.3, .recognise = 0.4, .wall = 2};
  return transcript;
}

}  // namespace tutti::testing
