#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>
#include <utility>

#include "checkpoint/config_node.h"
#include "checkpoint/printable.h"

namespace tutti {
namespace {

using Kind = ConfigNode::Kind;

// Room for a config with its token list inside. More would be a gift to hostile texts: yaml-cpp takes seconds and some
// 250 bytes of memory for each byte of them.
constexpr size_t kMaxBytes = size_t{1} << 20;
constexpr size_t kMaxDepth = 64;

// Builds the tree out of the parser's events. yaml-cpp's own tree is not used: it recurses as deep as the document and
// takes several hundred bytes a value. A refusal is thrown as yaml-cpp throws its own and caught in ParseYamlNode.
class TreeBuilder : public YAML::EventHandler {
 public:
  std::shared_ptr<const ConfigNode> root() const { return root_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { Leaf(mark, anchor, {}); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) Refuse(mark, "an alias within the value it stands for");
    Attach(mark, found->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    ConfigNode node;
    node.kind = Kind::kScalar;
    node.text = value;
    node.quoted = tag == "!";
    Leaf(mark, anchor, std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Enter(mark, anchor, Kind::kList);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Enter(mark, anchor, Kind::kMap);
  }
  void OnSequenceEnd() override { Leave(); }
  void OnMapEnd() override { Leave(); }

 private:
  // A list or map that is being read.
  struct Open {
    std::shared_ptr<ConfigNode> node;
    YAML::anchor_t anchor = 0;
    YAML::Mark mark;
    std::string key;  // maps: of the value to come
    bool has_key = false;
  };

  [[noreturn]] static void Refuse(const YAML::Mark& mark, const std::string& why) {
    throw YAML::ParserException(mark, why);
  }

  void Leaf(const YAML::Mark& mark, YAML::anchor_t anchor, ConfigNode node) {
    auto shared = std::make_shared<const ConfigNode>(std::move(node));
    if (anchor != 0) anchors_[anchor] = shared;
    Attach(mark, std::move(shared));
  }

  void Enter(const YAML::Mark& mark, YAML::anchor_t anchor, Kind kind) {
    if (open_.size() >= kMaxDepth) Refuse(mark, fmt::format("nested deeper than {}", kMaxDepth));
    auto node = std::make_shared<ConfigNode>();
    node->kind = kind;
    open_.push_back({std::move(node), anchor, mark, {}, false});
  }

  void Leave() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    if (closed.anchor != 0) anchors_[closed.anchor] = closed.node;
    Attach(closed.mark, std::move(closed.node));
  }

  void Attach(const YAML::Mark& mark, std::shared_ptr<const ConfigNode> node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node->kind == Kind::kList) {
      parent.node->items.push_back(std::move(node));
    } else if (!parent.has_key) {
      if (node->kind != Kind::kScalar) Refuse(mark, "a key that is not a scalar");
      parent.key = node->text;
      parent.has_key = true;
    } else {
      parent.has_key = false;
      if (!parent.node->entries.emplace(parent.key, std::move(node)).second) {
        Refuse(mark, fmt::format("key {} twice", Printable(parent.key)));
      }
    }
  }

  std::shared_ptr<const ConfigNode> root_ = std::make_shared<const ConfigNode>();
  std::vector<Open> open_;
  std::map<YAML::anchor_t, std::shared_ptr<const ConfigNode>> anchors_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const ConfigNode>> ParseYamlNode(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return InvalidArgument("{} bytes of YAML, at most {} are allowed", text.size(), kMaxBytes);
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder tree;
    parser.HandleNextDocument(tree);
    return tree.root();
  } catch (const YAML::Exception& e) {
    if (e.mark.is_null()) return InvalidArgument("YAML: {}", e.msg);
    return InvalidArgument("line {}, column {}: YAML: {}", e.mark.line + 1, e.mark.column + 1, e.msg);
  } catch (const std::exception& e) {
    return InvalidArgument("YAML: {}", e.what());
  }
}

}  // namespace tutti
