#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "service/fields.h"
#include "tutti/transcript.h"

namespace tutti {

// OpenAI's transcription API: https://platform.openai.com/docs/api-reference/audio/createTranscription
struct OpenAiRequest {
  enum class Format { kJson, kText, kSrt, kVerboseJson, kVtt };
  std::string model;
  std::string language;  // as given, and prompt: for models that take SearchOptions; others have theirs from their
  std::string prompt;    // own configuration
  Format format = Format::kJson;
  bool words = false, segments = true;  // what verbose_json holds
  bool stream = false;
};

// What only OpenAI's own models can do is Unimplemented and says so; what changes nothing here (temperature,
// chunking_strategy, include[]) is accepted; fields that the API does not have are ignored, as clients of several
// servers send some.
absl::StatusOr<OpenAiRequest> ReadOpenAiFields(const Fields& fields);

struct Rendered {
  std::string content_type, body;
};
Rendered RenderOpenAi(const Transcript& transcript, const OpenAiRequest& request);

// Server-sent events of a streamed answer: the text as it grows, then all of it.
std::string OpenAiDelta(std::string_view delta);
std::string OpenAiDone(const Transcript& transcript);

}  // namespace tutti
