#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "audio/decoder.h"

namespace tutti {
namespace {

using Encoding = RawFormat::Encoding;
constexpr std::array<std::pair<std::string_view, Encoding>, 6> kEncodings = {{{"s16le", Encoding::kS16le},
                                                                              {"s32le", Encoding::kS32le},
                                                                              {"f32le", Encoding::kF32le},
                                                                              {"u8", Encoding::kU8},
                                                                              {"mulaw", Encoding::kMulaw},
                                                                              {"alaw", Encoding::kAlaw}}};

// "" leaves `value` as it is.
bool ParseCount(std::string_view text, int min, int max, int& value) {
  if (text.empty()) return true;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= min && value <= max;
}

}  // namespace

absl::StatusOr<RawFormat> RawFormat::Parse(std::string_view text) {
  std::array<std::string_view, 3> parts;
  size_t count = 0;
  bool valid = true;
  for (std::string_view left = text; valid;) {
    const size_t colon = left.find(':');
    parts[count++] = left.substr(0, colon);
    if (colon == std::string_view::npos) break;
    left.remove_prefix(colon + 1);
    valid = count < parts.size();
  }
  RawFormat format;
  bool known = false;
  for (const auto& [name, encoding] : kEncodings) {
    if (parts[0] != name) continue;
    format.encoding = encoding;
    known = true;
  }
  valid = valid && known && ParseCount(parts[1], 1000, 768'000, format.sample_rate) &&
          ParseCount(parts[2], 1, 512, format.channels);
  if (valid) return format;
  return InvalidArgument(
      "raw format \"{}\": expected ENCODING[:RATE[:CHANNELS]] with s16le, s32le, f32le, u8, mulaw or alaw, 1000 … "
      "768000 Hz and 1 … 512 channels, such as s16le:16000:1 or mulaw:8000",
      text);
}

}  // namespace tutti
