#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "audio/decoder.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "tutti/recognizer.h"

namespace tutti {

absl::StatusOr<DecodeOptions> ToDecodeOptions(const TranscribeOptions& options);

// A decoder over the input, which must outlive it. Errors name the input.
absl::StatusOr<std::unique_ptr<AudioDecoder>> OpenDecoder(const AudioInput& input, const TranscribeOptions& options);

// How large it is, to compare inputs by the work they may be: bytes, samples counting as two. 0 when nobody can say.
int64_t SizeInBytes(const AudioInput& input);

// The error with the input's name in front, unless its message has it already.
absl::Status NamingInput(const absl::Status& status, const std::string& name);

// The one who may look inside AudioInput, and makes the kinds that only the inside of tutti has.
struct AudioInputAccess {
  // A file that is open already, taken as AudioInput::File or Upload would take it under its name.
  static AudioInput Descriptor(UniqueFd fd, std::string name, bool is_upload);
  // Memory that lives as long as `keep_alive`.
  static AudioInput Memory(std::span<const std::byte> bytes, std::shared_ptr<const void> keep_alive, std::string name);
  static AudioInput Samples(std::span<const float> samples, std::shared_ptr<const void> keep_alive, int sample_rate,
                            int channels, std::string name);

  static bool IsFile(const AudioInput& input) { return input.kind_ == AudioInput::Kind::kFile; }
  static bool IsSamples(const AudioInput& input) { return input.kind_ == AudioInput::Kind::kSamples; }
  static const std::string& Path(const AudioInput& input) { return input.path_; }
  static bool IsUpload(const AudioInput& input) { return input.is_upload_; }
  // Encoded bytes or samples; empty for a file.
  static std::span<const std::byte> Contents(const AudioInput& input) {
    return IsSamples(input) ? std::as_bytes(input.samples_) : input.bytes_;
  }
  // Lets go of them: it keeps its name and kind.
  static void DropContents(AudioInput& input) {
    input.bytes_ = {};
    input.samples_ = {};
    input.keep_alive_.reset();
  }
  static int SampleRate(const AudioInput& input) { return input.sample_rate_; }
  static int SampleChannels(const AudioInput& input) { return input.sample_channels_; }

  static absl::StatusOr<std::unique_ptr<AudioDecoder>> Open(const AudioInput& input, const DecodeOptions& options);
  static int64_t Size(const AudioInput& input);
};

}  // namespace tutti
