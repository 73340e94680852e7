#include "checkpoint/gguf_config.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "checkpoint/config_node.h"
#include "checkpoint/gguf_writer.h"
#include "checkpoint/printable.h"

namespace tutti {
namespace {

using Kind = ConfigNode::Kind;

constexpr std::string_view kFileKeys[] = {"config",
                                          "init_param",
                                          "frontend_conf.cmvn_file",
                                          "tokenizer_conf.token_list",
                                          "tokenizer_conf.seg_dict",
                                          "tokenizer_conf.seg_dict_file"};

// The value at `path`, by the getter that takes it first; nothing when it is no scalar and no list of scalars.
std::optional<GgufValue> ValueAt(const Config& config, const std::string& path, Kind kind) {
  if (kind == Kind::kList) {
    if (auto integers = config.GetInts(path, {}); integers.ok()) return *std::move(integers);
    if (auto texts = config.GetStrings(path, {}); texts.ok()) return *std::move(texts);
    return std::nullopt;
  }
  if (const auto integer = config.GetInt(path, 0); integer.ok()) return *integer;
  if (const auto real = config.GetDouble(path, 0); real.ok()) return *real;
  if (const auto truth = config.GetBool(path, false); truth.ok()) return *truth;
  if (auto text = config.GetString(path, ""); text.ok()) return *std::move(text);
  return std::nullopt;
}

void PutMap(const Config& config, const ConfigNode& map, const std::string& path, std::string_view prefix,
            GgufWriter& writer) {
  for (const auto& [key, node] : map.entries) {
    if (node->kind == Kind::kNull || key.find('.') != key.npos) continue;
    const std::string deeper = path.empty() ? key : fmt::format("{}.{}", path, key);
    if (std::ranges::find(kFileKeys, deeper) != std::end(kFileKeys)) continue;
    if (node->kind == Kind::kMap) {
      PutMap(config, *node, deeper, prefix, writer);
    } else if (const auto value = ValueAt(config, deeper, node->kind)) {
      writer.Add(std::string(prefix) + deeper, *value);
    }
  }
}

ConfigNode Scalar(std::string text, bool quoted) {
  ConfigNode node;
  node.kind = Kind::kScalar;
  node.text = std::move(text);
  node.quoted = quoted;
  return node;
}
ConfigNode NodeOf(bool value) { return Scalar(value ? "true" : "false", false); }
ConfigNode NodeOf(int64_t value) { return Scalar(fmt::format("{}", value), false); }
ConfigNode NodeOf(double value) { return Scalar(fmt::format("{}", value), false); }
ConfigNode NodeOf(const std::string& value) { return Scalar(value, true); }
template <typename T>
ConfigNode NodeOf(const std::vector<T>& values) {
  ConfigNode node;
  node.kind = Kind::kList;
  for (const T& value : values) node.items.push_back(std::make_shared<const ConfigNode>(NodeOf(value)));
  return node;
}

// A ConfigNode that is still being put together.
struct Draft {
  std::map<std::string, Draft, std::less<>> entries;
  std::optional<ConfigNode> value;

  // As deep as a key has dots, and a key is short.
  std::shared_ptr<const ConfigNode> Finish() const {
    if (value) return std::make_shared<const ConfigNode>(*value);
    auto node = std::make_shared<ConfigNode>();
    node->kind = Kind::kMap;
    for (const auto& [key, draft] : entries) node->entries[key] = draft.Finish();
    return node;
  }
};

}  // namespace

void PutConfig(const Config& config, std::string_view prefix, GgufWriter& writer) {
  PutMap(config, config.root(), "", prefix, writer);
}

absl::StatusOr<Config> ConfigFromKeys(const GgufMetadata& metadata, std::string_view prefix, std::string source_name) {
  Draft root;
  for (const auto& [key, value] : metadata) {
    if (!key.starts_with(prefix)) continue;
    Draft* draft = &root;
    std::string_view path = std::string_view(key).substr(prefix.size());
    for (bool last = false; !last;) {
      const size_t dot = path.find('.');
      last = dot == path.npos;
      draft = &draft->entries[std::string(path.substr(0, dot))];
      path.remove_prefix(last ? path.size() : dot + 1);
      if (draft->value || (last && !draft->entries.empty())) {
        return InvalidArgument("key {}: a value where another key needs a map", Printable(key));
      }
    }
    draft->value = std::visit([](const auto& typed) { return NodeOf(typed); }, value);
  }
  return Config::FromNode(root.Finish(), std::move(source_name));
}

}  // namespace tutti
