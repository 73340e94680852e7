// Results for C: strings stay the transcript's.
#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "c_api/handles.h"
#include "pipeline/formats.h"

namespace tutti {
namespace {

// Fills as much of the caller's struct as its header knew.
template <typename Struct>
int Give(Struct filled, Struct* given) {
  const size_t size = std::min(given->size, sizeof(Struct));
  if (size < sizeof(size_t)) return 0;
  filled.size = given->size;
  std::memcpy(given, &filled, size);
  return 1;
}

float OrNan(const std::optional<float>& value) { return value.value_or(std::numeric_limits<float>::quiet_NaN()); }

}  // namespace
}  // namespace tutti

extern "C" {

const char* tutti_transcript_text(const tutti_transcript* transcript) {
  return transcript == nullptr ? "" : transcript->value->text.c_str();
}
const char* tutti_transcript_language(const tutti_transcript* transcript) {
  return transcript == nullptr ? "" : transcript->value->language.c_str();
}
int64_t tutti_transcript_duration_ms(const tutti_transcript* transcript) {
  return transcript == nullptr ? 0 : transcript->value->duration_ms;
}
int tutti_transcript_truncated(const tutti_transcript* transcript) {
  return transcript != nullptr && transcript->value->truncated ? 1 : 0;
}
size_t tutti_transcript_segment_count(const tutti_transcript* transcript) {
  return transcript == nullptr ? 0 : transcript->value->segments.size();
}

int tutti_transcript_segment(const tutti_transcript* transcript, size_t index, tutti_segment* segment) {
  if (segment == nullptr || index >= tutti_transcript_segment_count(transcript)) return 0;
  const tutti::Segment& found = transcript->value->segments[index];
  return tutti::Give({.size = 0,
                      .start_ms = found.start_ms,
                      .end_ms = found.end_ms,
                      .channel = found.channel,
                      .text = found.text.c_str(),
                      .token_count = found.tokens.size(),
                      .language = found.language.c_str(),
                      .language_probability = tutti::OrNan(found.language_probability),
                      .avg_logprob = tutti::OrNan(found.avg_logprob),
                      .no_speech_prob = tutti::OrNan(found.no_speech_prob),
                      .compression_ratio = tutti::OrNan(found.compression_ratio),
                      .temperature = tutti::OrNan(found.temperature)},
                     segment);
}

int tutti_transcript_token(const tutti_transcript* transcript, size_t segment, size_t index, tutti_token* token) {
  if (token == nullptr || segment >= tutti_transcript_segment_count(transcript)) return 0;
  const auto& tokens = transcript->value->segments[segment].tokens;
  if (index >= tokens.size()) return 0;
  const tutti::Token& found = tokens[index];
  return tutti::Give({.size = 0,
                      .start_ms = found.start_ms.value_or(-1),
                      .end_ms = found.end_ms.value_or(-1),
                      .text = found.text.c_str(),
                      .score = found.score},
                     token);
}

char* tutti_transcript_render(const tutti_transcript* transcript, const char* format) {
  if (transcript == nullptr || format == nullptr) return nullptr;
  try {
    const auto parsed = tutti::ParseFormat(format);
    return parsed.ok() ? strdup(tutti::Render(*transcript->value, *parsed).c_str()) : nullptr;
  } catch (const std::exception&) {
    return nullptr;
  }
}

void tutti_transcript_free(tutti_transcript* transcript) { delete transcript; }

}  // extern "C"
