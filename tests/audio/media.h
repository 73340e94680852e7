#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "audio/decoder.h"

namespace tutti::testing {

inline std::string MediaPath(const std::string& file) { return TUTTI_SOURCE_DIR "/tests/data/audio/" + file; }
inline std::string SpeechPath() { return TUTTI_SOURCE_DIR "/tests/data/fixtures/audio/clip_b.wav"; }

inline std::string FileBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::span<const std::byte> AsBytes(const std::string& text) { return std::as_bytes(std::span(text)); }

// All that tools/make_audio_fixtures.sh makes, but for no_audio.mp4.
inline std::vector<std::string> MediaFiles() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(TUTTI_SOURCE_DIR "/tests/data/audio")) {
    const std::string name = entry.path().filename().string();
    if (name != "no_audio.mp4") files.push_back(name);
  }
  return files;
}

struct Decoded {
  absl::Status status;
  std::vector<std::vector<float>> channels;
  bool truncated = false;
};

inline Decoded ReadAll(absl::StatusOr<std::unique_ptr<AudioDecoder>> decoder) {
  Decoded result;
  if (!decoder.ok()) {
    result.status = decoder.status();
    return result;
  }
  while (true) {
    const auto more = (*decoder)->Read(result.channels);
    if (!more.ok()) result.status = more.status();
    if (!more.ok() || !*more) break;
  }
  result.truncated = (*decoder)->truncated();
  return result;
}

inline Decoded DecodeFile(const std::string& path, const DecodeOptions& options = {}) {
  return ReadAll(AudioDecoder::OpenFile(path, options));
}

// `bytes` must be alive only during the call.
inline Decoded DecodeMemory(const std::string& bytes, const DecodeOptions& options = {}) {
  return ReadAll(AudioDecoder::OpenMemory(AsBytes(bytes), "upload", options));
}

template <typename T>
std::string BytesOf(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

template <typename T>
void PutLittleEndian(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// A WAVE file; format 1 is integer PCM, 3 is float. `data_bytes` overrides the size that the header tells.
template <typename T>
std::string Wav(const std::vector<T>& samples, uint32_t rate, uint16_t channels, uint16_t format = 1,
                int64_t data_bytes = -1) {
  const auto size = static_cast<uint32_t>(samples.size() * sizeof(T));
  const uint32_t told = data_bytes < 0 ? size : static_cast<uint32_t>(data_bytes);
  std::string wav = "RIFF";
  PutLittleEndian<uint32_t>(wav, told + 36);
  wav += "WAVEfmt ";
  PutLittleEndian<uint32_t>(wav, 16);
  PutLittleEndian<uint16_t>(wav, format);
  PutLittleEndian<uint16_t>(wav, channels);
  PutLittleEndian<uint32_t>(wav, rate);
  PutLittleEndian<uint32_t>(wav, static_cast<uint32_t>(rate * channels * sizeof(T)));
  PutLittleEndian<uint16_t>(wav, static_cast<uint16_t>(channels * sizeof(T)));
  PutLittleEndian<uint16_t>(wav, sizeof(T) * 8);
  wav += "data";
  PutLittleEndian<uint32_t>(wav, told);
  return wav + BytesOf(samples);
}

}  // namespace tutti::testing
