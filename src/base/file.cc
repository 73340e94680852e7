#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace tutti {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::Status WriteAll(int fd, const std::string& path, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return SystemError("write", path, errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status WriteAndSync(const std::string& path, const std::string& name, std::string_view bytes) {
  const FileDescriptor fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (fd.get() < 0) return SystemError("create", path, errno);
  TUTTI_RETURN_IF_ERROR(WriteAll(fd.get(), name, std::as_bytes(std::span(bytes))));
  return fsync(fd.get()) == 0 ? absl::OkStatus() : SystemError("write to the disk", name, errno);
}

}  // namespace

absl::Status SystemError(std::string_view what, const std::string& path, int error) {
  const std::string message = fmt::format("{}: cannot {}: {}", path, what, std::strerror(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(message);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(message);
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  const FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return SystemError("open", path, errno);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return SystemError("stat", path, errno);
  if (!S_ISREG(info.st_mode)) return InvalidArgument("{}: expected a regular file", path);
  const auto size = static_cast<size_t>(info.st_size);
  void* data = nullptr;
  if (size > 0) {
    data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (data == MAP_FAILED) return SystemError("map", path, errno);
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(path, static_cast<const std::byte*>(data), size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::Forget(std::span<const std::byte> part) const {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t skipped = (page - reinterpret_cast<uintptr_t>(part.data()) % page) % page;
  if (part.size() < skipped + page) return;
  const size_t whole = (part.size() - skipped) / page * page;
  madvise(const_cast<std::byte*>(part.data()) + skipped, whole, MADV_DONTNEED);  // a hint: it may fail
}

absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes) {
  TUTTI_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  const auto bytes = file->bytes();
  if (static_cast<int64_t>(bytes.size()) > max_bytes) {
    return InvalidArgument("{}: {} bytes, at most {} are allowed here", path, bytes.size(), max_bytes);
  }
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// Process and address make the name unique among the writers of one machine; O_EXCL catches the rest.
AtomicFile::AtomicFile(std::string path)
    : path_(std::move(path)),
      temporary_(fmt::format("{}.{}.{:x}.tmp", path_, getpid(), reinterpret_cast<uintptr_t>(this))) {}

absl::StatusOr<std::unique_ptr<AtomicFile>> AtomicFile::Create(const std::string& path, unsigned mode) {
  std::unique_ptr<AtomicFile> file(new AtomicFile(path));
  file->fd_ = open(file->temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file->fd_ < 0) return SystemError("create", file->temporary_, errno);
  return file;
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(temporary_.c_str());
}

absl::Status AtomicFile::CopyAttributes(int from_fd) {
  struct stat from = {};
  if (fstat(from_fd, &from) != 0) return SystemError("look at", path_, errno);
  // Before the mode: a change of the owner takes the set-user-ID bits away. Only root may; others own what they write.
  if (fchown(fd_, from.st_uid, from.st_gid) != 0 && errno != EPERM)
    return SystemError("change the owner of", temporary_, errno);
  if (fchmod(fd_, from.st_mode & 07777) != 0) return SystemError("change the mode of", temporary_, errno);
  return absl::OkStatus();
}

absl::Status AtomicFile::Append(std::span<const std::byte> bytes) { return WriteAll(fd_, path_, bytes); }

absl::Status AtomicFile::Commit() {
  const bool closed = close(std::exchange(fd_, -1)) == 0;
  if (closed && rename(temporary_.c_str(), path_.c_str()) == 0) return absl::OkStatus();
  const int error = errno;
  unlink(temporary_.c_str());
  return SystemError(closed ? "rename the finished file to" : "close", path_, error);
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes) {
  TUTTI_ASSIGN_OR_RETURN(const auto file, AtomicFile::Create(path));
  TUTTI_RETURN_IF_ERROR(file->Append(std::as_bytes(std::span(bytes))));
  return file->Commit();
}

absl::Status WriteFileDurably(const std::string& path, const std::string& temporary, std::string_view bytes,
                              SyncPoints* sync_points) {
  absl::Status status = WriteAndSync(temporary, path, bytes);
  ReachSyncPoint(sync_points, "WriteFileDurably:before_rename");
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = SystemError("rename the finished file to", path, errno);
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

}  // namespace tutti
