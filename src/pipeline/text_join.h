#pragma once

#include <string>
#include <string_view>

namespace tutti {

// Appends `next` to `text` as the pieces of one recording are joined: with a space, except between two CJK characters
// (U+3400 … U+9FFF) (spec §12.2 step 6). Empty pieces add nothing.
void AppendText(std::string_view next, std::string& text);

}  // namespace tutti
