#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tutti {

// The first letter of `text`, which is not empty: how many bytes it takes and whether they are well-formed UTF-8. Of a
// malformed one they are the longest beginning of a letter, or one byte.
struct Utf8Letter {
  size_t size = 1;
  bool well_formed = false;
};
inline Utf8Letter FirstLetter(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte rules out overlong forms, surrogates and what is beyond U+10FFFF.
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < size; ++i) {
    if (i == text.size() || byte(i) < (i == 1 ? low : 0x80U) || byte(i) > (i == 1 ? high : 0xBFU)) return {i, false};
  }
  return {size, true};
}

inline constexpr std::string_view kReplacementLetter = "\xEF\xBF\xBD";  // U+FFFD

// The text with U+FFFD for each malformed letter.
inline std::string WellFormed(std::string_view text) {
  std::string well_formed;
  while (!text.empty()) {
    const Utf8Letter letter = FirstLetter(text);
    well_formed += letter.well_formed ? text.substr(0, letter.size) : kReplacementLetter;
    text.remove_prefix(letter.size);
  }
  return well_formed;
}

}  // namespace tutti
