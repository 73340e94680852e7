#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

namespace tutti {

// As fmt::print, but a stream that takes no more (a full disk, a closed descriptor) is no exception: a report that
// nobody can read must not end the work it reports on. std::ferror tells.
template <typename... Args>
void PrintText(std::FILE* out, fmt::format_string<Args...> format, Args&&... args) {
  const std::string text = fmt::format(format, std::forward<Args>(args)...);
  std::fwrite(text.data(), 1, text.size(), out);
}

}  // namespace tutti
