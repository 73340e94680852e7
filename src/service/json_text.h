#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace tutti {

// JSON on one line, as answers have it. Bytes that are no UTF-8 become U+FFFD: a file's name is its client's.
inline std::string JsonText(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace tutti
