#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tutti {

// A YAML value. Nodes are shared, never copied: an alias costs a pointer, so a document of aliases to aliases stays as
// small as it looks. Immutable once the parser is done; always acyclic.
struct ConfigNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  using Map = std::map<std::string, std::shared_ptr<const ConfigNode>, std::less<>>;

  Kind kind = Kind::kNull;
  std::string text;     // kScalar
  bool quoted = false;  // kScalar: written in quotes, so text whatever it looks like
  std::vector<std::shared_ptr<const ConfigNode>> items;
  Map entries;
};

// The document's root; an empty document is null. Errors name line and column.
absl::StatusOr<std::shared_ptr<const ConfigNode>> ParseYamlNode(std::string_view text);

}  // namespace tutti
