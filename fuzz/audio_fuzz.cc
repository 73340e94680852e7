// Any bytes as an uploaded recording: no crash, no hang, no memory beyond what the limits allow. The seeds are
// tests/data/audio; a last byte of 0xE0 … 0xFF chooses other options.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "audio/decoder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const unsigned choice = size > 0 && data[size - 1] >= 0xE0 ? data[size - 1] & 0x1F : 0;
  tutti::DecodeOptions options;
  options.channels = (choice & 1) != 0 ? tutti::ChannelMode::kSplit : tutti::ChannelMode::kMix;
  options.raw = (choice & 2) != 0;
  options.raw_format.encoding = static_cast<tutti::RawFormat::Encoding>((choice >> 2) % 6);
  options.max_duration_ms = 10'000;
  options.max_channels = 4;
  auto decoder = tutti::AudioDecoder::OpenMemory(std::as_bytes(std::span(data, size)), "fuzz", options);
  if (!decoder.ok()) return 0;
  std::vector<std::vector<float>> piece;
  while (true) {
    const auto more = (*decoder)->Read(piece);
    if (!more.ok()) break;
    if (piece.size() != static_cast<size_t>((*decoder)->channels())) std::abort();
    for (auto& channel : piece) {
      if (channel.size() != piece[0].size() || channel.empty() == *more) std::abort();
    }
    if (!*more) break;
    for (auto& channel : piece) channel.clear();
  }
  return 0;
}
