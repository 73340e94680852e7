#pragma once

#include <string>
#include <string_view>

namespace tutti {

// Languages as recognition models name them, by codes ("en", "yue"; ISO 639 where it has one), and by their English
// names in small letters, which OpenAI's API gives and takes ("english", "haitian creole").

// Empty for a code that is not known.
std::string_view LanguageName(std::string_view code);

// The code for a code or a name, in whatever case; what is neither stays as it is, in small letters.
std::string LanguageCode(std::string_view code_or_name);

}  // namespace tutti
