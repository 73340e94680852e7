#include "cli/output_names.h"

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <map>
#include <set>

namespace tutti {
namespace {

namespace fs = std::filesystem;

// The path without root and without "..": it stays below the output folder.
fs::path Contained(const fs::path& path) {
  fs::path contained;
  for (const fs::path& part : path.lexically_normal().relative_path()) {
    if (part != ".." && part != "." && !part.empty()) contained /= part;
  }
  return contained;
}

std::string Stem(fs::path path) { return path.replace_extension().string(); }

}  // namespace

std::vector<std::string> OutputNames(std::span<const Input> inputs) {
  std::vector<std::string> names;
  for (const Input& input : inputs) names.push_back(Stem(Contained(input.below)));

  const auto rename_twins = [&](const std::function<std::string(const Input&)>& longer) {
    std::map<std::string, int> uses;
    for (const std::string& name : names) ++uses[name];
    for (size_t i = 0; i < names.size(); ++i) {
      if (uses[names[i]] > 1) names[i] = longer(inputs[i]);
    }
  };
  rename_twins([](const Input& input) { return Contained(input.below).string(); });
  rename_twins([](const Input& input) { return Stem(Contained(input.path)); });
  rename_twins([](const Input& input) { return Contained(input.path).string(); });

  std::set<std::string> taken;
  for (std::string& name : names) {
    const std::string wanted = name;
    for (int number = 2; !taken.insert(name).second; ++number) name = fmt::format("{}.{}", wanted, number);
  }
  return names;
}

}  // namespace tutti
