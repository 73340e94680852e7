#include <utility>

#include "checkpoint/json_text.h"
#include "checkpoint/model_package.h"
#include "checkpoint/text_lines.h"

namespace tutti {

absl::StatusOr<std::vector<std::string>> ParseTokensJson(std::string_view text, std::string_view source_name) {
  TUTTI_ASSIGN_OR_RETURN(auto document, ParseJson(text, source_name));
  if (!document.is_array()) {
    return InvalidArgument("{}: found a JSON {}, expected an array of strings", source_name, document.type_name());
  }
  std::vector<std::string> tokens;
  for (auto& item : document) {
    if (!item.is_string()) {
      return InvalidArgument("{}: token {}: found a JSON {}, expected a string", source_name, tokens.size(),
                             item.type_name());
    }
    tokens.push_back(std::move(item.get_ref<std::string&>()));
  }
  return tokens;
}

std::vector<std::string> ParseTokensText(std::string_view text) {
  std::vector<std::string> tokens;
  for (const std::string_view line : Lines(text)) {
    tokens.emplace_back(line.substr(0, line.find_last_not_of(kAsciiSpace) + 1));
  }
  return tokens;
}

SegDict ParseSegDict(std::string_view text) {
  SegDict words;
  for (const std::string_view line : Lines(text)) {
    const auto fields = Fields(line);
    if (!fields.empty()) words[std::string(fields[0])].assign(fields.begin() + 1, fields.end());
  }
  return words;
}

}  // namespace tutti
