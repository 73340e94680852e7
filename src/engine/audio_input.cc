#include "engine/audio_input.h"

#include <filesystem>
#include <utility>

namespace tutti {

// The one who may look inside AudioInput.
struct AudioInputAccess {
  static absl::StatusOr<std::unique_ptr<AudioDecoder>> Open(const AudioInput& input, const DecodeOptions& options) {
    if (input.bytes_ != nullptr) {
      return AudioDecoder::OpenMemory(std::as_bytes(std::span(*input.bytes_)), input.name_, options);
    }
    if (input.samples_ != nullptr) {
      return AudioDecoder::OpenSamples(*input.samples_, input.sample_rate_, input.sample_channels_, options);
    }
    if (input.is_upload_) return AudioDecoder::OpenUpload(input.path_, input.name_, options);
    return AudioDecoder::OpenFile(input.path_, options);
  }

  static int64_t Size(const AudioInput& input) {
    if (input.bytes_ != nullptr) return static_cast<int64_t>(input.bytes_->size());
    if (input.samples_ != nullptr) return static_cast<int64_t>(input.samples_->size()) * 2;
    std::error_code none;
    const uintmax_t size = std::filesystem::file_size(input.path_, none);
    return none ? 0 : static_cast<int64_t>(size);
  }
};

AudioInput AudioInput::File(std::string path) {
  AudioInput input;
  input.name_ = path;
  input.path_ = std::move(path);
  return input;
}

AudioInput AudioInput::Upload(std::string path, std::string name) {
  AudioInput input;
  input.name_ = std::move(name);
  input.path_ = std::move(path);
  input.is_upload_ = true;
  return input;
}

AudioInput AudioInput::Bytes(std::shared_ptr<const std::string> bytes, std::string name) {
  AudioInput input;
  input.name_ = std::move(name);
  input.bytes_ = bytes != nullptr ? std::move(bytes) : std::make_shared<const std::string>();
  return input;
}

AudioInput AudioInput::Samples(std::vector<float> samples, int sample_rate, int channels, std::string name) {
  AudioInput input;
  input.name_ = std::move(name);
  input.samples_ = std::make_shared<const std::vector<float>>(std::move(samples));
  input.sample_rate_ = sample_rate;
  input.sample_channels_ = channels;
  return input;
}

absl::StatusOr<DecodeOptions> ToDecodeOptions(const TranscribeOptions& options) {
  DecodeOptions decode;
  decode.channels = options.channels == Channels::kSplit ? ChannelMode::kSplit : ChannelMode::kMix;
  decode.max_duration_ms = options.max_duration_ms;
  if (!options.raw_format.empty()) {
    decode.raw = true;
    TUTTI_ASSIGN_OR_RETURN(decode.raw_format, RawFormat::Parse(options.raw_format));
  }
  return decode;
}

absl::StatusOr<std::unique_ptr<AudioDecoder>> OpenDecoder(const AudioInput& input, const TranscribeOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(const DecodeOptions decode, ToDecodeOptions(options));
  auto decoder = AudioInputAccess::Open(input, decode);
  if (!decoder.ok()) return NamingInput(decoder.status(), input.name());
  return decoder;
}

int64_t SizeInBytes(const AudioInput& input) { return AudioInputAccess::Size(input); }

absl::Status NamingInput(const absl::Status& status, const std::string& name) {
  return Message(status).find(name) == std::string::npos ? WithContext(status, name) : status;
}

}  // namespace tutti
