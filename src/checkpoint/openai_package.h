#pragma once

#include <string>

#include "base/status.h"
#include "checkpoint/config.h"
#include "checkpoint/model_package.h"

namespace tutti {

// A Whisper checkpoint of OpenAI's package, {"dims": …, "model_state_dict": …} in a torch file, as `whisper.load_model`
// downloads it and FunASR's Whisper packages hold it; the tokenizer is taken from `directory`
// (ReadWhisperTokenizer). Sizes that no tensor shows, the numbers of heads, come from `dims` of the file, else from
// `dims` of `config`, which is FunASR's config.yaml, or an empty one.
//
// Suppressed tokens, alignment heads and the package's configuration are ConfigureWhisper's.
//
// NotFound or InvalidArgument names the file and what is missing.
absl::StatusOr<ModelPackage> OpenOpenAiPackage(const std::string& directory, const std::string& weights,
                                               const Config& config);

}  // namespace tutti
