#include "checkpoint/byte_letters.h"

namespace tutti {
namespace {

std::vector<std::string> MakeLetters() {
  std::vector<std::string> letters(256);
  unsigned next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool printable = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
    const unsigned letter = printable ? byte : next++;
    if (letter >= 0x80) letters[byte] += static_cast<char>(0xC0 | letter >> 6);
    letters[byte] += static_cast<char>(letter < 0x80 ? letter : 0x80 | (letter & 0x3F));
  }
  return letters;
}

}  // namespace

const std::vector<std::string>& LettersOfBytes() {
  static const auto* const kLetters = new std::vector<std::string>(MakeLetters());
  return *kLetters;
}

std::string InLetters(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += LettersOfBytes()[static_cast<unsigned char>(byte)];
  return text;
}

}  // namespace tutti
