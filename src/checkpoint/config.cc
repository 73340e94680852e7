#include "checkpoint/config.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "checkpoint/config_node.h"
#include "checkpoint/printable.h"

namespace tutti {
namespace {

using Kind = ConfigNode::Kind;

std::string Describe(const ConfigNode& node) {
  switch (node.kind) {
    case Kind::kNull:
      return "null";
    case Kind::kScalar:
      return Printable(node.text);
    case Kind::kList:
      return fmt::format("a list of {}", node.items.size());
    case Kind::kMap:
      return fmt::format("a map of {}", node.entries.size());
  }
  return "";
}

template <typename Number>
std::optional<Number> ParseWhole(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> AsDouble(const ConfigNode& node) {
  if (node.kind != Kind::kScalar || node.quoted) return std::nullopt;
  const auto number = ParseWhole<double>(node.text);
  return number && std::isfinite(*number) ? number : std::nullopt;
}

std::optional<int64_t> AsInt(const ConfigNode& node) {
  if (node.kind != Kind::kScalar || node.quoted) return std::nullopt;
  if (const auto number = ParseWhole<int64_t>(node.text)) return number;
  constexpr double kExact = 9007199254740992;  // 2^53: beyond it 3.0 may not mean 3
  const auto number = AsDouble(node);
  if (!number || std::abs(*number) > kExact || *number != std::trunc(*number)) return std::nullopt;
  return static_cast<int64_t>(*number);
}

// The words of YAML 1.1, which FunASR's loader accepts, in the three spellings it accepts.
std::optional<bool> AsBool(const ConfigNode& node) {
  if (node.kind != Kind::kScalar || node.quoted) return std::nullopt;
  for (const std::string_view word : {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}) {
    if (node.text == word) return true;
  }
  for (const std::string_view word : {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}) {
    if (node.text == word) return false;
  }
  return std::nullopt;
}

std::shared_ptr<ConfigNode> MapOf(ConfigNode::Map entries) {
  auto node = std::make_shared<ConfigNode>();
  node->kind = Kind::kMap;
  node->entries = std::move(entries);
  return node;
}

// A copy of `node`, a map or nothing, in which `path` is `value`. Null when something on the way is not a map.
std::shared_ptr<const ConfigNode> WithValue(const ConfigNode* node, std::string_view path,
                                            std::shared_ptr<const ConfigNode> value) {
  if (node != nullptr && node->kind != Kind::kMap && node->kind != Kind::kNull) return nullptr;
  auto copy = MapOf(node != nullptr ? node->entries : ConfigNode::Map());
  const size_t dot = path.find('.');
  const std::string key(path.substr(0, dot));
  if (dot != std::string_view::npos) {
    const auto found = copy->entries.find(key);
    value =
        WithValue(found == copy->entries.end() ? nullptr : found->second.get(), path.substr(dot + 1), std::move(value));
    if (value == nullptr) return nullptr;
  }
  copy->entries[key] = std::move(value);
  return copy;
}

}  // namespace

absl::StatusOr<Config> Config::ParseYaml(std::string_view text, std::string source_name) {
  auto root = ParseYamlNode(text);
  if (!root.ok()) return WithContext(root.status(), source_name);
  if ((*root)->kind == Kind::kNull) root = MapOf({});
  if ((*root)->kind != Kind::kMap) {
    return InvalidArgument("{}: found {}, expected a map of keys", source_name, Describe(**root));
  }
  return Config(*std::move(root), std::make_shared<const std::string>(std::move(source_name)));
}

Config Config::FromNode(std::shared_ptr<const ConfigNode> root, std::string source_name) {
  return Config(std::move(root), std::make_shared<const std::string>(std::move(source_name)));
}

Config::Config() : Config(MapOf({}), std::make_shared<const std::string>()) {}

Config::Config(std::shared_ptr<const ConfigNode> root, std::shared_ptr<const std::string> source)
    : root_(std::move(root)), source_(std::move(source)) {}

absl::StatusOr<const ConfigNode*> Config::Find(std::string_view path) const {
  const ConfigNode* node = root_.get();
  for (size_t begin = 0;;) {
    const size_t dot = path.find('.', begin);
    const auto found = node->entries.find(path.substr(begin, dot == path.npos ? dot : dot - begin));
    if (found == node->entries.end() || found->second->kind == Kind::kNull) return nullptr;
    node = found->second.get();
    if (dot == path.npos) return node;
    if (node->kind != Kind::kMap) return WrongType(path.substr(0, dot), *node, "a map");
    begin = dot + 1;
  }
}

absl::Status Config::WrongType(std::string_view path, const ConfigNode& found, std::string_view expected) const {
  return InvalidArgument("{}: {}: found {}, expected {}", *source_, path, Describe(found), expected);
}

bool Config::Has(std::string_view path) const {
  const auto found = Find(path);
  return found.ok() && *found != nullptr;
}

absl::StatusOr<std::string> Config::GetString(std::string_view path, std::string fallback) const {
  TUTTI_ASSIGN_OR_RETURN(const ConfigNode* const node, Find(path));
  if (node == nullptr) return fallback;
  if (node->kind != Kind::kScalar) return WrongType(path, *node, "text");
  return node->text;
}

absl::StatusOr<int64_t> Config::GetInt(std::string_view path, int64_t fallback) const {
  TUTTI_ASSIGN_OR_RETURN(const ConfigNode* const node, Find(path));
  if (node == nullptr) return fallback;
  if (const auto number = AsInt(*node)) return *number;
  return WrongType(path, *node, "an integer");
}

absl::StatusOr<double> Config::GetDouble(std::string_view path, double fallback) const {
  TUTTI_ASSIGN_OR_RETURN(const ConfigNode* const node, Find(path));
  if (node == nullptr) return fallback;
  if (const auto number = AsDouble(*node)) return *number;
  return WrongType(path, *node, "a number");
}

absl::StatusOr<bool> Config::GetBool(std::string_view path, bool fallback) const {
  TUTTI_ASSIGN_OR_RETURN(const ConfigNode* const node, Find(path));
  if (node == nullptr) return fallback;
  if (const auto value = AsBool(*node)) return *value;
  return WrongType(path, *node, "true or false");
}

absl::StatusOr<std::vector<int64_t>> Config::GetInts(std::string_view path, std::vector<int64_t> fallback) const {
  TUTTI_ASSIGN_OR_RETURN(const ConfigNode* const node, Find(path));
  if (node == nullptr) return fallback;
  if (node->kind != Kind::kList) return WrongType(path, *node, "a list of integers");
  std::vector<int64_t> numbers;
  for (const auto& item : node->items) {
    const auto number = AsInt(*item);
    if (!number) return WrongType(fmt::format("{}[{}]", path, numbers.size()), *item, "an integer");
    numbers.push_back(*number);
  }
  return numbers;
}

absl::StatusOr<std::vector<std::string>> Config::GetStrings(std::string_view path,
                                                            std::vector<std::string> fallback) const {
  TUTTI_ASSIGN_OR_RETURN(const ConfigNode* const node, Find(path));
  if (node == nullptr) return fallback;
  if (node->kind != Kind::kList) return WrongType(path, *node, "a list of texts");
  std::vector<std::string> texts;
  for (const auto& item : node->items) {
    if (item->kind != Kind::kScalar) return WrongType(fmt::format("{}[{}]", path, texts.size()), *item, "text");
    texts.push_back(item->text);
  }
  return texts;
}

absl::StatusOr<int64_t> Config::GetIntBetween(std::string_view path, int64_t fallback, int64_t low,
                                              int64_t high) const {
  TUTTI_ASSIGN_OR_RETURN(const int64_t number, GetInt(path, fallback));
  if (low <= number && number <= high) return number;
  return InvalidArgument("{}: {}: found {}, expected {} to {}", *source_, path, number, low, high);
}

absl::StatusOr<Config> Config::With(std::string_view path, std::string value) const {
  auto leaf = std::make_shared<ConfigNode>();
  leaf->kind = Kind::kScalar;
  leaf->text = std::move(value);
  leaf->quoted = true;
  auto root = WithValue(root_.get(), path, std::move(leaf));
  if (root == nullptr) return InvalidArgument("{}: {}: expected maps on the way to this key", *source_, path);
  return Config(std::move(root), source_);
}

absl::StatusOr<Config> Config::Overlay(std::string_view path) const {
  TUTTI_ASSIGN_OR_RETURN(const ConfigNode* const node, Find(path));
  if (node == nullptr) return *this;
  if (node->kind != Kind::kMap) return WrongType(path, *node, "a map");
  ConfigNode::Map entries = root_->entries;
  entries.insert(node->entries.begin(), node->entries.end());  // leaves the keys that are there
  return Config(MapOf(std::move(entries)), source_);
}

}  // namespace tutti
