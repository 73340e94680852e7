#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace tutti {

// The right to be the only one who works on a file, kept in PATH.lock beside it, so that the file itself can be
// replaced and read meanwhile. Held from Take to destruction, and let go by the system when the process dies. A forked
// child that keeps the descriptor holds it, too.
class FileLock {
 public:
  // FailedPrecondition when another has it, in this process or another one.
  static absl::StatusOr<std::unique_ptr<FileLock>> Take(const std::string& path);
  // Whether somebody has it now; takes nothing, so that nobody is kept out by who only asks.
  static bool IsHeld(const std::string& path);
  ~FileLock();

  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}

  const int fd_;
};

}  // namespace tutti
