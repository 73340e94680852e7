#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tutti {

// "a%20b" → "a b" (RFC 3986, 2.1); with `plus`, as forms have it, "a+b" → "a b", too. Nothing for malformed escapes.
std::optional<std::string> PercentDecode(std::string_view text, bool plus);

}  // namespace tutti
