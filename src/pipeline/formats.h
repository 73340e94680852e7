#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tutti/search_options.h"
#include "tutti/transcript.h"

namespace tutti {

enum class Format { kTxt, kJson, kJsonl, kSrt, kVtt, kTsv };

absl::StatusOr<Format> ParseFormat(std::string_view name);  // "txt", "json", …

// Adds to `search` what the format needs of a model that `takes_search_options`: cues are cut between words, so these
// have times.
void AskForTimes(Format format, bool takes_search_options, SearchOptions& search);

// The whole text of an output file, ending in a newline unless empty. JSON follows docs/transcript.schema.json;
// `with_timings` false leaves out what differs between two runs.
std::string Render(const Transcript& transcript, Format format, bool with_timings = true);

// One segment as it stands in that JSON, on one line without a line break.
std::string RenderSegment(const Segment& segment);

// What a failed recording prints in jsonl: {"file": …, "error": {"code": …, "message": …}}.
std::string RenderError(std::string_view file, const absl::Status& status);

}  // namespace tutti
