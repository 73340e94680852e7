#include "service/transcribe_events.h"

#include <fmt/format.h>

#include "pipeline/formats.h"
#include "service/api_error.h"

namespace tutti {

std::string ProgressEvent(const Progress& progress) {
  return fmt::format(
      "event: progress\ndata: {{\"audio_ms_decoded\":{},\"segments_found\":{},\"segments_done\":{}}}\n\n",
      progress.audio_ms_decoded, progress.segments_found, progress.segments_done);
}

std::string SegmentEvent(const Segment& segment) {
  return fmt::format("event: segment\ndata: {}\n\n", RenderSegment(segment));
}

std::string EndEvent(const absl::StatusOr<Transcript>& result) {
  if (!result.ok()) return fmt::format("event: error\ndata: {}\n\n", ErrorJson(result.status()));
  // A line of JSON ends in a line break of its own.
  return fmt::format("event: done\ndata: {}\n", Render(*result, Format::kJsonl));
}

}  // namespace tutti
