#include "audio/container.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace tutti {
namespace {

// Length in bytes of the MPEG audio frame whose header is at `at`; 0 when it is none, or one of unstated length.
size_t MpegFrameBytes(std::string_view head, size_t at) {
  if (at + 4 > head.size()) return 0;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(head[at + i]); };
  const unsigned version = byte(1) >> 3 & 3,
                 layer = byte(1) >> 1 & 3;  // version 3: MPEG 1, 1: none; layer 3: I, 0: none
  const unsigned bit_rate = byte(2) >> 4, rate = byte(2) >> 2 & 3, padding = byte(2) >> 1 & 1;
  if (byte(0) != 0xFF || byte(1) >> 5 != 7 || version == 1 || layer == 0 || rate == 3) return 0;
  if (bit_rate == 0 || bit_rate == 15) return 0;

  static constexpr std::array<std::array<int, 14>, 5> kKilobits = {{
      {32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},  // MPEG 1 layer I
      {32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},     // layer II
      {32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},      // layer III
      {32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},     // MPEG 2 and 2.5 layer I
      {8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},          // layers II and III
  }};
  static constexpr std::array<int, 3> kRates = {44100, 48000, 32000};
  const bool mpeg1 = version == 3;
  const size_t row = mpeg1 ? 3 - layer : layer == 3 ? 3 : 4;
  const auto bits = static_cast<size_t>(kKilobits[row][bit_rate - 1]) * 1000;
  const size_t hertz = static_cast<size_t>(kRates[rate]) >> (mpeg1 ? 0 : version == 2 ? 1 : 2);
  if (layer == 3) return (12 * bits / hertz + padding) * 4;
  return (layer == 1 && !mpeg1 ? 72 : 144) * bits / hertz + padding;
}

size_t AdtsFrameBytes(std::string_view head, size_t at) {
  if (at + 7 > head.size()) return 0;
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(head[at + i])); };
  if (byte(0) != 0xFF || (byte(1) & 0xF6) != 0xF0 || (byte(2) >> 2 & 15) > 12) return 0;
  const size_t bytes = (byte(3) & 3) << 11 | byte(4) << 3 | byte(5) >> 5;
  return bytes > 7 ? bytes : 0;
}

// Two frames in a row, alike in the first two bytes and the sample rate.
bool TwoFrames(std::string_view head, size_t (*frame_bytes)(std::string_view, size_t)) {
  const size_t next = frame_bytes(head, 0);
  return next > 0 && frame_bytes(head, next) > 0 && head[1] == head[next + 1] &&
         (head[2] & 0x0C) == (head[next + 2] & 0x0C);
}

}  // namespace

std::string_view RecogniseContainer(std::span<const std::byte> bytes) {
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto has = [head](size_t at, std::string_view magic) {
    return head.substr(at < head.size() ? at : head.size()).starts_with(magic);
  };
  for (const std::string_view riff : {"RIFF", "RIFX", "RF64", "BW64"}) {
    if (has(0, riff) && has(8, "WAVE")) return "wav";
  }
  if (has(0, "OggS")) return "ogg";
  if (has(0, "fLaC")) return "flac";
  if (has(4, "ftyp")) return "mov";
  if (has(0, "\x1A\x45\xDF\xA3")) return "matroska";
  if (has(0, "#!AMR")) return "amr";
  if (has(0, "FORM") && (has(8, "AIFF") || has(8, "AIFC"))) return "aiff";
  if (has(0, "caff")) return "caf";
  if (has(0, ".snd")) return "au";
  if (has(0, "\x30\x26\xB2\x75\x8E\x66\xCF\x11")) return "asf";
  if (has(0, "ID3")) return "mp3,aac,flac";
  if (TwoFrames(head, MpegFrameBytes)) return "mp3";
  if (TwoFrames(head, AdtsFrameBytes)) return "aac";
  return {};
}

bool WavBreaksOff(std::span<const std::byte> head, int64_t file_bytes) {
  constexpr uint32_t kPlaceholder = 0x7FFF0000;
  if (file_bytes < 0 || head.size() < 12 || std::memcmp(head.data(), "RIFF", 4) != 0) return false;
  for (size_t at = 12; at + 8 <= head.size();) {
    uint32_t bytes = 0;
    for (size_t i = 0; i < 4; ++i) bytes |= std::to_integer<uint32_t>(head[at + 4 + i]) << 8 * i;
    const bool is_data = std::memcmp(&head[at], "data", 4) == 0;
    at += 8;
    if (is_data) return bytes<kPlaceholder&& static_cast<int64_t>(at) + bytes> file_bytes;
    at += bytes + bytes % 2;
  }
  return false;
}

}  // namespace tutti
