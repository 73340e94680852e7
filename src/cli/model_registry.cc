#include "cli/model_registry.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/file.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;
using RegistryJson = nlohmann::json;

constexpr std::string_view kRegistryFile = "registry.json";
constexpr int64_t kMaxRegistryBytes = 1 << 20;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool IsModelDirectory(const fs::path& path) {
  std::error_code error;
  return fs::exists(path / "config.yaml", error) || fs::exists(path / "configuration.json", error);
}

std::string Origin(const RegistryJson& origin) {
  std::string type = origin.value("type", "");
  if (type == "tree") return "comes with tutti";
  if (type == "pypi-wheel") return "PyPI " + origin.value("package", "?") + " " + origin.value("version", "?");
  return type;
}

// The model in the first folder that has it, else at the path of its entry, which is relative to the folder above the
// registry (in the source tree: its root).
std::string Locate(const std::string& name, const std::string& path, const fs::path& registry_folder,
                   const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    if (IsModelDirectory(fs::path(folder) / name)) return (fs::path(folder) / name).lexically_normal().string();
  }
  const fs::path stated = registry_folder.parent_path() / path;
  return !path.empty() && IsModelDirectory(stated) ? stated.lexically_normal().string() : "";
}

absl::StatusOr<std::vector<RegisteredModel>> ReadRegistry(const std::string& folder,
                                                          const std::vector<std::string>& folders) {
  const std::string file = (fs::path(folder) / kRegistryFile).string();
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxRegistryBytes));
  std::vector<RegisteredModel> models;
  try {
    const RegistryJson registry = RegistryJson::parse(text);
    for (const RegistryJson& entry : registry.at("models")) {
      const RegistryJson& origin = entry.at("origin");
      const std::string name = entry.at("name");
      if (name.empty() || name.find('/') != std::string::npos || name == "none") {
        return InvalidArgument("{}: model name '{}': expected a word without /", file, name);
      }
      models.push_back({.name = name,
                        .kind = entry.at("kind"),
                        .origin = Origin(origin),
                        .license = origin.value("license", ""),
                        .directory = Locate(name, entry.value("path", ""), folder, folders)});
    }
  } catch (const RegistryJson::exception& error) {
    return InvalidArgument("{}: {}", file, error.what());
  }
  return models;
}

}  // namespace

std::vector<std::string> ModelRegistry::SearchFolders() {
  std::vector<std::string> folders;
  const std::string listed = Environment("TUTTI_MODELS");
  for (size_t from = 0; from < listed.size();) {
    const size_t colon = std::min(listed.find(':', from), listed.size());
    if (colon > from) folders.push_back(listed.substr(from, colon - from));
    from = colon + 1;
  }
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path bin = executable.parent_path();
    folders.push_back((bin.parent_path() / "share/tutti/models").string());
    const fs::path tree = bin.parent_path().parent_path().parent_path();
    if (bin.parent_path().parent_path().filename() == "build") {
      folders.push_back((tree / "models").string());
      folders.push_back((tree / ".cache/models").string());
    }
  }
  const std::string cache = Environment("XDG_CACHE_HOME");
  const std::string home = Environment("HOME");
  if (!cache.empty()) {
    folders.push_back(cache + "/tutti/models");
  } else if (!home.empty()) {
    folders.push_back(home + "/.cache/tutti/models");
  }
  return folders;
}

absl::StatusOr<ModelRegistry> ModelRegistry::Load(std::vector<std::string> folders) {
  ModelRegistry registry;
  registry.folders_ = std::move(folders);
  for (const std::string& folder : registry.folders_) {
    auto models = ReadRegistry(folder, registry.folders_);
    if (absl::IsNotFound(models.status())) continue;
    if (!models.ok()) return models.status();
    for (RegisteredModel& model : *models) {
      const bool known = std::any_of(registry.models_.begin(), registry.models_.end(),
                                     [&model](const RegisteredModel& other) { return other.name == model.name; });
      if (!known) registry.models_.push_back(std::move(model));
    }
  }
  return registry;
}

absl::StatusOr<std::string> ModelRegistry::Find(std::string_view name_or_path) const {
  std::error_code error;
  if (fs::is_directory(name_or_path, error) || fs::is_regular_file(name_or_path, error)) {
    return std::string(name_or_path);
  }
  std::string names;
  for (const RegisteredModel& model : models_) {
    if (model.name == name_or_path) {
      if (!model.directory.empty()) return model.directory;
      return NotFound(
          "model {} ({}) is not on this machine: run `make models` in the source tree, or put its directory into a "
          "folder that TUTTI_MODELS names; looked in {}",
          model.name, model.origin, fmt::join(folders_, ", "));
    }
    names += names.empty() ? "" : ", ";
    names += model.name;
  }
  if (names.empty()) names = fmt::format("none (no {} in {})", kRegistryFile, fmt::join(folders_, ", "));
  return NotFound("model '{}': there is no such directory or file, and the registered names are {}", name_or_path,
                  names);
}

}  // namespace tutti
