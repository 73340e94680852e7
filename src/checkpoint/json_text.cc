#include "checkpoint/json_text.h"

#include <optional>

namespace tutti {
namespace {

constexpr int kDeepest = 64;

// Where a text opens one list or object too many within others; the text need not be JSON.
std::optional<size_t> TooDeep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepest) return i;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<nlohmann::json> ParseJson(std::string_view text, std::string_view source_name) {
  if (const auto at = TooDeep(text)) {
    return InvalidArgument("{}: nested too deep at byte {}, at most {} levels are allowed", source_name, *at, kDeepest);
  }
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    return InvalidArgument("{}: {}", source_name, e.what());
  }
}

absl::StatusOr<nlohmann::json> ParseJsonObject(std::string_view text, std::string_view source_name) {
  TUTTI_ASSIGN_OR_RETURN(nlohmann::json document, ParseJson(text, source_name));
  if (document.is_object()) return document;
  return InvalidArgument("{}: found a JSON {}, expected an object", source_name, document.type_name());
}

}  // namespace tutti
