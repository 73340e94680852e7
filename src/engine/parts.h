#pragma once

#include <memory>
#include <string>

#include "models/asr_model.h"
#include "models/fsmn_vad.h"

namespace tutti {

// The constants that all of a recogniser shares. `asr` may be null when only voice activity is wanted, `vad` when every
// recording is one segment.
struct RecognizerParts {
  std::shared_ptr<const AsrModel> asr;
  std::shared_ptr<const FsmnVad> vad;
  std::string model_name;  // for Transcript.model
};

}  // namespace tutti
