#pragma once

#include <string_view>
#include <vector>

namespace tutti {

// The lines of a text, without their line ends. A newline at the very end opens no further line.
inline std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

constexpr std::string_view kAsciiSpace = " \t\r\n\v\f";

// The fields of a line, split at runs of ASCII space.
inline std::vector<std::string_view> Fields(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    const size_t begin = line.find_first_not_of(kAsciiSpace);
    if (begin == std::string_view::npos) return fields;
    const size_t end = line.find_first_of(kAsciiSpace, begin);
    fields.push_back(line.substr(begin, end - begin));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end);
  }
}

}  // namespace tutti
