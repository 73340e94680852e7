#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/status.h"

namespace tutti {

// The JSON of a hostile file. Nested lists and objects are at most 64 deep, so that nobody who walks, copies or prints
// it runs out of stack. InvalidArgument with `source_name` and the position.
absl::StatusOr<nlohmann::json> ParseJson(std::string_view text, std::string_view source_name);

// The same of a text that must be an object.
absl::StatusOr<nlohmann::json> ParseJsonObject(std::string_view text, std::string_view source_name);

}  // namespace tutti
