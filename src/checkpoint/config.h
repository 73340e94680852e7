#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tutti {

struct ConfigNode;

// A read-only tree of configuration values (FunASR's config.yaml with configuration.json merged over it).
// Paths are dotted: "frontend_conf.n_mels". A missing key or a null yields the fallback; a key with the wrong type is
// an error that names file, key, value and expected type. Immutable, cheap to copy, safe from any thread.
class Config {
 public:
  static absl::StatusOr<Config> ParseYaml(std::string_view text, std::string source_name);

  // For other writings of the same tree: `root` is a map.
  static Config FromNode(std::shared_ptr<const ConfigNode> root, std::string source_name);

  Config();  // an empty map

  bool Has(std::string_view path) const;  // present and not null
  absl::StatusOr<std::string> GetString(std::string_view path, std::string fallback) const;
  absl::StatusOr<int64_t> GetInt(std::string_view path, int64_t fallback) const;  // accepts 3 and 3.0
  absl::StatusOr<double> GetDouble(std::string_view path, double fallback) const;
  absl::StatusOr<bool> GetBool(std::string_view path, bool fallback) const;
  absl::StatusOr<std::vector<int64_t>> GetInts(std::string_view path, std::vector<int64_t> fallback) const;
  absl::StatusOr<std::vector<std::string>> GetStrings(std::string_view path, std::vector<std::string> fallback) const;
  // As GetInt, but between `low` and `high`; otherwise InvalidArgument with the range.
  absl::StatusOr<int64_t> GetIntBetween(std::string_view path, int64_t fallback, int64_t low, int64_t high) const;

  // The same tree with `path` set to a string (maps on the way are made).
  absl::StatusOr<Config> With(std::string_view path, std::string value) const;

  // The map at `path` with this tree's top-level keys over it: FunASR takes a model's options from `model_conf`, but a
  // top-level key of the same name wins.
  absl::StatusOr<Config> Overlay(std::string_view path) const;

  const ConfigNode& root() const { return *root_; }
  const std::string& source_name() const { return *source_; }

 private:
  Config(std::shared_ptr<const ConfigNode> root, std::shared_ptr<const std::string> source);

  absl::StatusOr<const ConfigNode*> Find(std::string_view path) const;  // null when missing or null
  absl::Status WrongType(std::string_view path, const ConfigNode& found, std::string_view expected) const;

  std::shared_ptr<const ConfigNode> root_;  // a map
  std::shared_ptr<const std::string> source_;
};

}  // namespace tutti
