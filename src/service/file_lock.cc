#include "service/file_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tutti {
namespace {

// Of the open file description: it also excludes a second one in the same process, and F_OFD_GETLK can ask for it.
struct flock WholeFile() {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

std::string LockPath(const std::string& path) { return path + ".lock"; }

}  // namespace

absl::StatusOr<std::unique_ptr<FileLock>> FileLock::Take(const std::string& path) {
  const std::string lock_path = LockPath(path);
  const int fd = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Unavailable("{}: cannot open: {}", lock_path, std::strerror(errno));
  std::unique_ptr<FileLock> lock(new FileLock(fd));
  struct flock whole = WholeFile();
  while (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
    if (errno == EAGAIN || errno == EACCES) return FailedPrecondition("{}: in use by another tutti", path);
    if (errno != EINTR) return Unavailable("{}: cannot lock: {}", lock_path, std::strerror(errno));
  }
  return lock;
}

bool FileLock::IsHeld(const std::string& path) {
  const int fd = open(LockPath(path).c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return false;
  struct flock whole = WholeFile();
  const bool held = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
  close(fd);
  return held;
}

FileLock::~FileLock() { close(fd_); }

}  // namespace tutti
