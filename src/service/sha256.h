#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace tutti {

// 32 bytes.
std::string Sha256(std::string_view bytes);
// Two lower-case digits a byte.
std::string Hex(std::string_view bytes);
// In hexadecimal, as sha256sum prints it. NotFound, PermissionDenied or Unavailable with the path and the reason.
absl::StatusOr<std::string> Sha256OfFile(const std::string& path);

}  // namespace tutti
