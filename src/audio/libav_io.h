#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

struct AVIOContext;

namespace tutti {

// While one lives, libav prints nothing from this thread.
//
// libav's log goes through one callback of the whole process (contexts have no switch of their own: demuxers and
// protocols ignore log_level_offset). The first guard installs a callback that drops what comes from a thread with a
// guard and hands all else to libav's default, so a host program that uses libav itself keeps its own messages and
// log level. All our calls run libav with one thread, so nothing of ours comes from elsewhere. A host that sets its own
// callback afterwards gets our messages too.
class QuietLibav {
 public:
  QuietLibav();
  ~QuietLibav();
  QuietLibav(const QuietLibav&) = delete;
  QuietLibav& operator=(const QuietLibav&) = delete;
};

// Bytes for libav to read and seek in, from memory or from a file that we opened: libav itself opens nothing.
// Not thread-safe.
class LibavInput {
 public:
  // `bytes` must outlive the input.
  static absl::StatusOr<std::unique_ptr<LibavInput>> FromMemory(std::span<const std::byte> bytes);
  // NotFound, PermissionDenied or InvalidArgument with the path and the system's reason. Pipes can be read, too.
  static absl::StatusOr<std::unique_ptr<LibavInput>> FromFile(const std::string& path);
  // A file that is open already, read from where it stands; `fd` must outlive the input. `name` is for messages.
  static absl::StatusOr<std::unique_ptr<LibavInput>> FromDescriptor(int fd, const std::string& name);
  virtual ~LibavInput();

  LibavInput(const LibavInput&) = delete;
  LibavInput& operator=(const LibavInput&) = delete;

  AVIOContext* context() const { return context_; }
  // The first bytes, up to kContainerHeadBytes.
  virtual std::span<const std::byte> head() const = 0;

 protected:
  LibavInput() = default;
  absl::Status MakeContext(bool seekable);
  // As libav's callbacks.
  virtual int Read(std::span<std::byte> buffer) = 0;
  virtual int64_t Seek(int64_t offset, int whence) = 0;

 private:
  AVIOContext* context_ = nullptr;
};

}  // namespace tutti
