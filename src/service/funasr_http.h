#pragma once

#include <string>

#include "base/status.h"
#include "tutti/transcript.h"

namespace tutti {

// The answers of FunASR's own HTTP services, for clients that were written for them (spec §17.3, §17.4).

// POST /recognition: {"text", "sentences": [{"text", "start", "end"}], "code": 0}, times in ms; ours: "language" of
// models that tell.
std::string RenderRecognition(const Transcript& transcript);
std::string RenderRecognitionError(const absl::Status& status);

// POST /asr: {"text", "segments", "duration", "processing_time", "rtf"}, times in seconds.
std::string RenderAsr(const Transcript& transcript, double processing_seconds, const std::string& language);

}  // namespace tutti
