#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tutti {

// GPT-2's letter for each of the 256 bytes, in UTF-8: itself where it can be printed, else one from U+0100 on.
const std::vector<std::string>& LettersOfBytes();

// Bytes in these letters.
std::string InLetters(std::string_view bytes);

}  // namespace tutti
