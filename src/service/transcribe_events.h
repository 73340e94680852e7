#pragma once

#include <string>

#include "base/status.h"
#include "tutti/recognizer.h"
#include "tutti/transcript.h"

namespace tutti {

// The server-sent events of /v1/transcribe with stream=true.
std::string ProgressEvent(const Progress& progress);
std::string SegmentEvent(const Segment& segment);
std::string EndEvent(const absl::StatusOr<Transcript>& result);  // "done" or "error"

}  // namespace tutti
