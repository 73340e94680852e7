#include "service/job_spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace tutti {
namespace {

constexpr std::string_view kSpoolPrefix = "job-", kSpoolSuffix = ".audio";
constexpr size_t kJobIdDigits = 32;

absl::Status SpoolError(std::string_view what, const std::string& path, int error) {
  const std::string message = fmt::format("{}: cannot {}: {}", path, what, std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

// A file's bytes, or a folder's names, are on the disk.
absl::Status Sync(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SpoolError("open", path, errno);
  const int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  return error == 0 ? absl::OkStatus() : SpoolError("sync", path, error);
}

bool IsJobAudio(std::string_view name) {
  if (!name.starts_with(kSpoolPrefix) || !name.ends_with(kSpoolSuffix)) return false;
  name.remove_prefix(kSpoolPrefix.size());
  name.remove_suffix(kSpoolSuffix.size());
  return name.size() == kJobIdDigits && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string JobAudioPath(const std::string& folder, std::string_view id) {
  return fmt::format("{}/{}{}{}", folder, kSpoolPrefix, id, kSpoolSuffix);
}

absl::Status KeepUpload(const std::string& upload, const std::string& audio_path) {
  TUTTI_RETURN_IF_ERROR(Sync(upload));
  if (rename(upload.c_str(), audio_path.c_str()) != 0) return SpoolError("rename to " + audio_path, upload, errno);
  const std::string folder = std::filesystem::path(audio_path).parent_path();
  absl::Status synced = Sync(folder.empty() ? "." : folder);
  if (!synced.ok()) (void)rename(audio_path.c_str(), upload.c_str());
  return synced;
}

absl::StatusOr<int64_t> RemoveLeftOverAudio(const std::string& folder, const std::set<std::string>& in_use) {
  std::set<std::string> names_in_use;  // a folder may be written in more than one way, an id is unique
  for (const std::string& path : in_use) names_in_use.insert(std::filesystem::path(path).filename());
  std::error_code error;
  int64_t bytes_in_use = 0;
  std::filesystem::directory_iterator entries(folder, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename();
    std::error_code unremovable;
    if (!IsJobAudio(name)) continue;
    if (names_in_use.contains(name)) {
      const auto bytes = std::filesystem::file_size(entries->path(), unremovable);
      if (!unremovable) bytes_in_use += static_cast<int64_t>(bytes);
      continue;
    }
    std::filesystem::remove(entries->path(), unremovable);
    if (unremovable) return Unavailable("{}: cannot remove: {}", entries->path().string(), unremovable.message());
  }
  if (error) return Unavailable("{}: cannot list: {}", folder, error.message());
  return bytes_in_use;
}

}  // namespace tutti
