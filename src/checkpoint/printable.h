#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace tutti {

// Text out of a hostile file, fit for an error message: quoted, escaped, not longer than a line.
inline std::string Printable(std::string_view text) {
  constexpr size_t kLongest = 80;
  return fmt::format("{:?}{}", text.substr(0, kLongest), text.size() > kLongest ? "…" : "");
}

}  // namespace tutti
