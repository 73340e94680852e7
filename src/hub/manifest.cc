#include "hub/manifest.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "service/sha256.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;
using ManifestJson = nlohmann::ordered_json;

constexpr int kManifestFormat = 1;
constexpr int64_t kMaxManifestBytes = 16 << 20;

}  // namespace

absl::StatusOr<Manifest> ReadManifest(const std::string& directory) {
  const std::string path = (fs::path(directory) / kManifestName).string();
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxManifestBytes));
  Manifest manifest;
  try {
    const ManifestJson json = ManifestJson::parse(text);
    if (const int format = json.at("tutti_manifest"); format != kManifestFormat) {
      return InvalidArgument("{}: tutti_manifest is {}, expected {}", path, format, kManifestFormat);
    }
    manifest = {.name = json.at("name"),
                .source = json.at("source"),
                .license = json.at("license"),
                .pulled = json.at("pulled"),
                .files = {}};
    for (const ManifestJson& entry : json.at("files")) {
      ModelFile file{.name = entry.at("name"), .size = entry.at("size"), .sha256 = entry.at("sha256")};
      TUTTI_RETURN_IF_ERROR(WithContext(CheckFileName(file.name), path));
      manifest.files.push_back(std::move(file));
    }
  } catch (const ManifestJson::exception& error) {
    return InvalidArgument("{}: {}", path, error.what());
  }
  return manifest;
}

absl::Status WriteManifest(const std::string& directory, const Manifest& manifest) {
  ManifestJson json = {{"tutti_manifest", kManifestFormat}, {"name", manifest.name},
                       {"source", manifest.source},         {"license", manifest.license},
                       {"pulled", manifest.pulled},         {"files", ManifestJson::array()}};
  for (const ModelFile& file : manifest.files) {
    json["files"].push_back({{"name", file.name}, {"size", file.size}, {"sha256", file.sha256}});
  }
  const std::string path = (fs::path(directory) / kManifestName).string();
  return WriteFileDurably(path, path + ".part",
                          json.dump(2, ' ', false, ManifestJson::error_handler_t::replace) + "\n");
}

std::vector<std::string> FindDamage(const std::string& directory, const std::vector<ModelFile>& files) {
  std::vector<std::string> damage;
  for (const ModelFile& file : files) {
    const std::string path = (fs::path(directory) / file.name).string();
    std::error_code error;
    const auto size = static_cast<int64_t>(fs::file_size(path, error));
    if (error) {
      damage.push_back(fmt::format("{}: {}", path, error.message()));
    } else if (file.size >= 0 && size != file.size) {
      damage.push_back(fmt::format("{}: has {} bytes, expected {}", path, size, file.size));
    } else if (!file.sha256.empty()) {
      const auto sha256 = Sha256OfFile(path);
      if (!sha256.ok()) {
        damage.push_back(Message(sha256.status()));
      } else if (*sha256 != file.sha256) {
        damage.push_back(fmt::format("{}: its sha256 is {}, expected {}", path, *sha256, file.sha256));
      }
    }
  }
  return damage;
}

absl::StatusOr<int> RemoveFiles(const std::string& directory, const Manifest& manifest) {
  std::error_code error;
  const fs::path root = fs::canonical(directory, error);
  if (error) return NotFound("{}: {}", directory, error.message());
  std::vector<fs::path> folders = {root};
  for (const ModelFile& file : manifest.files) {
    // Somebody may have put a link in a folder's place: what it leads to is not ours.
    const fs::path folder = fs::canonical((root / file.name).parent_path(), error);
    if (error || folder != (root / file.name).parent_path().lexically_normal()) continue;
    fs::remove(root / file.name, error);
    if (error) return absl::UnavailableError(fmt::format("{}: {}", (root / file.name).string(), error.message()));
    for (fs::path above = folder; above != root; above = above.parent_path()) folders.push_back(above);
  }
  fs::remove(root / kManifestName, error);
  if (error) return absl::UnavailableError(fmt::format("{}: {}", (root / kManifestName).string(), error.message()));
  std::ranges::sort(folders, std::greater<>());                      // what is within before what is around
  for (const fs::path& folder : folders) fs::remove(folder, error);  // fails where something is left
  int left = 0;
  for (auto entry = fs::recursive_directory_iterator(root, error); !error && entry != fs::end(entry);
       entry.increment(error)) {
    left += fs::is_directory(entry->symlink_status(error)) ? 0 : 1;
  }
  return left;
}

}  // namespace tutti
