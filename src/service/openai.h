#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "service/fields.h"
#include "service/search_request.h"
#include "tutti/search_options.h"
#include "tutti/transcript.h"

namespace tutti {

// OpenAI's transcription and translation API: https://platform.openai.com/docs/api-reference/audio
struct OpenAiRequest {
  enum class Format { kJson, kText, kSrt, kVerboseJson, kVtt };
  Task task = Task::kTranscribe;  // which of the two it is
  std::string model;
  std::string language;  // that is spoken, as given
  std::string prompt;
  double temperature = 0;
  Format format = Format::kJson;
  bool words = false, segments = true;  // what verbose_json holds
  bool stream = false;
};

// FieldErrors about what makes no sense and about what only OpenAI's own models can do; what changes nothing here
// (chunking_strategy, include[]) is accepted; fields that the API does not have are ignored, as clients of several
// servers send some.
absl::StatusOr<OpenAiRequest> ReadOpenAiFields(const Fields& fields, Task task);

// What the model is to do. Models that decide on all tokens at once take no notice of language, prompt and temperature,
// which clients send unasked. FieldErrors about a language that the model does not have, and about a model that cannot
// translate.
absl::StatusOr<SearchOptions> SearchOptionsOf(const OpenAiRequest& request, std::string_view model_name,
                                              const ModelAbilities& model);

struct Rendered {
  std::string content_type, body;
};
Rendered RenderOpenAi(const Transcript& transcript, const OpenAiRequest& request);

// Server-sent events of a streamed answer: the text as it grows, then all of it.
std::string OpenAiDelta(std::string_view delta);
std::string OpenAiDone(const Transcript& transcript);

}  // namespace tutti
