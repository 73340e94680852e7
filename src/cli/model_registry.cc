#include "cli/model_registry.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "hub/endpoints.h"
#include "hub/manifest.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;
using RegistryJson = nlohmann::json;

constexpr std::string_view kRegistryFile = "registry.json";
constexpr int64_t kMaxRegistryBytes = 1 << 20;

bool IsModelDirectory(const fs::path& path) {
  std::error_code error;
  for (const std::string_view name : {std::string_view("config.yaml"), std::string_view("configuration.json"),
                                      std::string_view("config.json"), kManifestName}) {
    if (fs::exists(path / name, error)) return true;
  }
  return false;
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
      auto spec = ParseModelSpec(entry);
      if (!spec.ok()) return WithContext(spec.status(), file);
      std::string directory = Locate(spec->name, entry.value("path", ""), folder, folders);
      models.push_back({.spec = *std::move(spec), .directory = std::move(directory)});
    }
  } catch (const RegistryJson::exception& error) {
    return InvalidArgument("{}: {}", file, error.what());
  }
  return models;
}

}  // namespace

std::string RegisteredModel::origin() const { return spec.sources.empty() ? "comes with tutti" : spec.Origin(); }

std::vector<std::string> ModelRegistry::SearchFolders() {
  std::vector<std::string> folders;
  const std::string listed = EnvironmentVariable("TUTTI_MODELS");
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
  if (std::string cache = CacheFolder(); !cache.empty()) folders.push_back(std::move(cache));
  return folders;
}

std::string ModelRegistry::CacheFolder() {
  fs::path home = EnvironmentVariable("TUTTI_HOME");
  if (home.empty()) {
    fs::path cache = EnvironmentVariable("XDG_CACHE_HOME");
    const std::string user = EnvironmentVariable("HOME");
    if (cache.empty() && !user.empty()) cache = fs::path(user) / ".cache";
    if (cache.empty()) return "";
    home = cache / "tutti";
  }
  return (home / "models").lexically_normal().string();
}

absl::StatusOr<ModelRegistry> ModelRegistry::Load(std::vector<std::string> folders) {
  ModelRegistry registry;
  registry.folders_ = std::move(folders);
  for (const std::string& folder : registry.folders_) {
    auto models = ReadRegistry(folder, registry.folders_);
    if (absl::IsNotFound(models.status())) continue;
    if (!models.ok()) return models.status();
    for (RegisteredModel& model : *models) {
      const bool known =
          std::any_of(registry.models_.begin(), registry.models_.end(),
                      [&model](const RegisteredModel& other) { return other.spec.name == model.spec.name; });
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
  for (const RegisteredModel& model : models_) {
    if (model.spec.name != name_or_path) continue;
    if (!model.directory.empty()) return model.directory;
    const std::string remedy = model.spec.sources.empty()
                                   ? "put its directory into a folder that TUTTI_MODELS names"
                                   : fmt::format("`tutti models pull {}` fetches it", model.spec.name);
    return NotFound("model {} ({}) is not on this machine: {}; looked in {}", model.spec.name, model.origin(), remedy,
                    fmt::join(folders_, ", "));
  }
  const std::optional<ModelSpec> repository = HubModel(name_or_path);
  if (!repository) return Unknown(name_or_path);
  for (const std::string& folder : folders_) {
    for (const ModelSource& source : repository->sources) {
      const fs::path directory = fs::path(folder) / HubFolder(source);
      if (IsModelDirectory(directory)) return directory.lexically_normal().string();
    }
  }
  return NotFound(
      "model '{0}': there is no such directory or file; if it is a repository of Hugging Face or ModelScope, `tutti "
      "models pull {0}` fetches it; looked in {1}",
      name_or_path, fmt::join(folders_, ", "));
}

absl::StatusOr<ModelSpec> ModelRegistry::Lookup(std::string_view name) const {
  for (const RegisteredModel& model : models_) {
    if (model.spec.name == name) return model.spec;
  }
  if (auto repository = HubModel(name)) return *std::move(repository);
  return Unknown(name);
}

absl::Status ModelRegistry::Unknown(std::string_view name) const {
  std::string names;
  for (const RegisteredModel& model : models_) names += (names.empty() ? "" : ", ") + model.spec.name;
  if (names.empty()) names = fmt::format("none (no {} in {})", kRegistryFile, fmt::join(folders_, ", "));
  return NotFound(
      "model '{}': there is no such directory or file, and the registered names are {}; `tutti models pull` fetches "
      "one, "
      "or OWNER/NAME from Hugging Face or ModelScope",
      name, names);
}

}  // namespace tutti
