#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/file.h"
#include "base/status.h"

namespace tutti {

// What a model directory's files may have: vocabularies and tokenizers, and configurations.
inline constexpr int64_t kMaxTextFile = int64_t{64} << 20;
inline constexpr int64_t kMaxConfigFile = int64_t{1} << 20;

// Links are followed, because model caches are made of them.
inline bool HasFile(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

// The text of a file that may be missing; "" then.
inline absl::StatusOr<std::string> ReadIfThere(const std::filesystem::path& path, int64_t max_bytes) {
  if (!HasFile(path)) return std::string();
  return ReadFile(path.string(), max_bytes);
}

// The path of a file that a configuration names, which must lie within the directory. InvalidArgument with `source`.
absl::StatusOr<std::string> FileInside(const std::filesystem::path& directory, const std::string& name,
                                       std::string_view source);

}  // namespace tutti
