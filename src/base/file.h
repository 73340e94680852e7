#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/sync_point.h"

namespace tutti {

// "path: cannot WHAT: reason", with the code that `error` (errno) means.
absl::Status SystemError(std::string_view what, const std::string& path, int error);

// A whole file mapped read-only into memory; pages come in when they are read and are shared between processes.
// Immutable, safe from any thread. The file must not be truncated while it is mapped.
class MappedFile {
 public:
  // NotFound or PermissionDenied with the path and the system's reason. An empty file maps to no bytes.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path);
  ~MappedFile();

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

  // Takes the pages that lie wholly within `part`, some of bytes(), out of this process's memory. The bytes stay as
  // they are: whoever reads them brings the pages back.
  void Forget(std::span<const std::byte> part) const;

 private:
  MappedFile(std::string path, const std::byte* data, size_t size) : path_(std::move(path)), data_(data), size_(size) {}

  const std::string path_;
  const std::byte* const data_;
  const size_t size_;
};

// The file's bytes. InvalidArgument when it has more than `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes = int64_t{1} << 30);

// A file that is written piece by piece under a temporary name in the same folder and renamed by Commit, so that a
// reader sees the old file or the whole new one. Without Commit nothing is left. Not thread-safe.
class AtomicFile {
 public:
  // `mode` is who may read and write it, less what the umask takes.
  static absl::StatusOr<std::unique_ptr<AtomicFile>> Create(const std::string& path, unsigned mode = 0644);
  ~AtomicFile();

  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Gives it the mode of an open file, and its owner and group if this process may.
  absl::Status CopyAttributes(int from_fd);
  absl::Status Append(std::span<const std::byte> bytes);
  absl::Status Commit();

 private:
  explicit AtomicFile(std::string path);

  const std::string path_, temporary_;
  int fd_ = -1;  // -1: closed, and the temporary file is gone or renamed
};

// Writes to a temporary name in the same folder, then renames, so that a reader sees the old file or the whole new one.
absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes);

// The same, and the bytes are on the disk before the name appears, so that after a loss of power it has them all or is
// not there. `temporary` is the name until then, in the same folder: one that a killed writer left is written over, so
// two may not use it at once. On an error it is removed.
absl::Status WriteFileDurably(const std::string& path, const std::string& temporary, std::string_view bytes,
                              SyncPoints* sync_points = nullptr);

}  // namespace tutti
