#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hub/model_source.h"

namespace tutti {

// In a model's directory: what was put there.
inline constexpr std::string_view kManifestName = "manifest.json";

struct Manifest {
  std::string name;     // the model's
  std::string source;   // ModelSource::Text
  std::string license;  // empty: not stated
  std::string pulled;   // "2026-11-28T19:00:00Z"
  std::vector<ModelFile> files;
};

// NotFound when the directory has none: then nobody knows whose its files are. InvalidArgument when it is malformed or
// names a file outside.
absl::StatusOr<Manifest> ReadManifest(const std::string& directory);
absl::Status WriteManifest(const std::string& directory, const Manifest& manifest);

// Reads every file of it and compares size and checksum; says of each that is not as it should be what is wrong.
std::vector<std::string> FindDamage(const std::string& directory, const std::vector<ModelFile>& files);

// Removes the files that the manifest lists and itself, then the folders that this leaves empty, `directory` among
// them. Files that somebody else put there stay; their number is returned.
absl::StatusOr<int> RemoveFiles(const std::string& directory, const Manifest& manifest);

}  // namespace tutti
