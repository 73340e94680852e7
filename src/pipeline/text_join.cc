#include "pipeline/text_join.h"

namespace tutti {
namespace {

// U+3400 … U+9FFF take three bytes in UTF-8, E3 90 80 … E9 BF BF, and sort like them.
bool IsCjk(std::string_view bytes) {
  const auto byte = [&bytes](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() != 3 || (byte(1) & 0xC0) != 0x80 || (byte(2) & 0xC0) != 0x80) return false;
  return (byte(0) == 0xE3 && byte(1) >= 0x90) || (byte(0) >= 0xE4 && byte(0) <= 0xE9);
}

}  // namespace

void AppendText(std::string_view next, std::string& text) {
  if (next.empty()) return;
  if (!text.empty()) {
    const std::string_view last = std::string_view(text).substr(text.size() < 3 ? 0 : text.size() - 3);
    if (!IsCjk(last) || !IsCjk(next.substr(0, 3))) text += ' ';
  }
  text += next;
}

}  // namespace tutti
