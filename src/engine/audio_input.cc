#include "engine/audio_input.h"

#include <sys/stat.h>

#include <filesystem>
#include <utility>

namespace tutti {

absl::StatusOr<std::unique_ptr<AudioDecoder>> AudioInputAccess::Open(const AudioInput& input,
                                                                     const DecodeOptions& options) {
  switch (input.kind_) {
    case AudioInput::Kind::kBytes:
      return AudioDecoder::OpenMemory(input.bytes_, input.name_, options);
    case AudioInput::Kind::kSamples:
      return AudioDecoder::OpenSamples(input.samples_, input.sample_rate_, input.sample_channels_, options);
    case AudioInput::Kind::kDescriptor:
      return AudioDecoder::OpenDescriptor(input.descriptor_, input.name_, input.is_upload_, options);
    case AudioInput::Kind::kFile:
      break;
  }
  if (input.is_upload_) return AudioDecoder::OpenUpload(input.path_, input.name_, options);
  return AudioDecoder::OpenFile(input.path_, options);
}

int64_t AudioInputAccess::Size(const AudioInput& input) {
  switch (input.kind_) {
    case AudioInput::Kind::kBytes:
      return static_cast<int64_t>(input.bytes_.size());
    case AudioInput::Kind::kSamples:
      return static_cast<int64_t>(input.samples_.size()) * 2;
    case AudioInput::Kind::kDescriptor: {
      struct stat info {};
      return fstat(input.descriptor_, &info) == 0 ? info.st_size : 0;
    }
    case AudioInput::Kind::kFile:
      break;
  }
  std::error_code none;
  const uintmax_t size = std::filesystem::file_size(input.path_, none);
  return none ? 0 : static_cast<int64_t>(size);
}

AudioInput AudioInputAccess::Descriptor(UniqueFd fd, std::string name, bool is_upload) {
  AudioInput input;
  input.kind_ = AudioInput::Kind::kDescriptor;
  input.name_ = std::move(name);
  input.is_upload_ = is_upload;
  input.descriptor_ = fd.get();
  input.keep_alive_ = std::make_shared<const UniqueFd>(std::move(fd));
  return input;
}

AudioInput AudioInputAccess::Memory(std::span<const std::byte> bytes, std::shared_ptr<const void> keep_alive,
                                    std::string name) {
  AudioInput input;
  input.kind_ = AudioInput::Kind::kBytes;
  input.name_ = std::move(name);
  input.bytes_ = bytes;
  input.keep_alive_ = std::move(keep_alive);
  return input;
}

AudioInput AudioInputAccess::Samples(std::span<const float> samples, std::shared_ptr<const void> keep_alive,
                                     int sample_rate, int channels, std::string name) {
  AudioInput input;
  input.kind_ = AudioInput::Kind::kSamples;
  input.name_ = std::move(name);
  input.samples_ = samples;
  input.keep_alive_ = std::move(keep_alive);
  input.sample_rate_ = sample_rate;
  input.sample_channels_ = channels;
  return input;
}

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
  const auto contents = bytes != nullptr ? std::as_bytes(std::span(*bytes)) : std::span<const std::byte>();
  return AudioInputAccess::Memory(contents, std::move(bytes), std::move(name));
}

AudioInput AudioInput::Samples(std::vector<float> samples, int sample_rate, int channels, std::string name) {
  const auto kept = std::make_shared<const std::vector<float>>(std::move(samples));
  return AudioInputAccess::Samples(*kept, kept, sample_rate, channels, std::move(name));
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
