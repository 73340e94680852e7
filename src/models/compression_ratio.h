#pragma once

#include <string_view>

namespace tutti {

// Bytes of the text through the bytes that zlib makes of them, as Whisper's reference has it: above 2.4 or so a text
// says the same again and again. 0 for no text.
float CompressionRatio(std::string_view text);

}  // namespace tutti
