#pragma once

#include <memory>

#include "audio/decoder.h"
#include "base/status.h"
#include "tutti/recognizer.h"

namespace tutti {

absl::StatusOr<DecodeOptions> ToDecodeOptions(const TranscribeOptions& options);

// A decoder over the input, which must outlive it. Errors name the input.
absl::StatusOr<std::unique_ptr<AudioDecoder>> OpenDecoder(const AudioInput& input, const TranscribeOptions& options);

// How large it is, to compare inputs by the work they may be: bytes, samples counting as two. 0 when nobody can say.
int64_t SizeInBytes(const AudioInput& input);

// The error with the input's name in front, unless its message has it already.
absl::Status NamingInput(const absl::Status& status, const std::string& name);

}  // namespace tutti
