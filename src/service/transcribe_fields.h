#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "pipeline/formats.h"
#include "service/fields.h"
#include "service/search_request.h"
#include "tutti/recognizer.h"

namespace tutti {

// What limits a service puts on requests.
struct RequestBounds {
  int64_t max_duration_ms = int64_t{4} * 3600 * 1000;
};

// Of a request that says nothing of options: somebody waits for it.
TranscribeOptions InteractiveOptions(const RequestBounds& bounds);

// The options of /v1/transcribe and /v1/jobs: channels, vad, raw_format, max_segment_ms, priority, vad_… and those of
// SearchOptions, each with the name and meaning it has in `tutti transcribe`. FieldErrors, also about what the model
// cannot do.
absl::StatusOr<TranscribeOptions> ReadTranscribeOptions(const Fields& fields, const ModelAbilities& model,
                                                        const RequestBounds& bounds);

}  // namespace tutti
