#include "audio/libav_io.h"

extern "C" {
#include <libavformat/avio.h>
#include <libavutil/error.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
}

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <mutex>
#include <vector>

#include "audio/container.h"
#include "audio/decoder.h"

namespace tutti {
namespace {

constexpr int kBufferBytes = 64 * 1024;

thread_local int quiet_depth = 0;

void LogUnlessQuiet(void* context, int level, const char* format, va_list arguments) {
  if (quiet_depth == 0) av_log_default_callback(context, level, format, arguments);
}

class MemoryInput final : public LibavInput {
 public:
  explicit MemoryInput(std::span<const std::byte> bytes) : bytes_(bytes) {}
  absl::Status Open() { return MakeContext(true); }

  std::span<const std::byte> head() const override {
    return bytes_.first(std::min(bytes_.size(), kContainerHeadBytes));
  }

 protected:
  int Read(std::span<std::byte> buffer) override {
    const size_t count = std::min(buffer.size(), bytes_.size() - at_);
    if (count == 0) return AVERROR_EOF;
    std::memcpy(buffer.data(), bytes_.data() + at_, count);
    at_ += count;
    return static_cast<int>(count);
  }

  int64_t Seek(int64_t offset, int whence) override {
    const auto size = static_cast<int64_t>(bytes_.size());
    if (whence == AVSEEK_SIZE) return size;
    const int64_t from = whence == SEEK_CUR ? static_cast<int64_t>(at_) : whence == SEEK_END ? size : 0;
    if (offset < -from || offset > size - from) return AVERROR(EINVAL);
    at_ = static_cast<size_t>(from + offset);
    return from + offset;
  }

 private:
  const std::span<const std::byte> bytes_;
  size_t at_ = 0;
};

std::string CannotOpen(const std::string& name) {
  return fmt::format("{}: cannot open: {}", name, std::strerror(errno));
}

class FileInput final : public LibavInput {
 public:
  absl::Status Open(const std::string& path) {
    TUTTI_ASSIGN_OR_RETURN(own_, OpenRecording(path));
    return Open(own_.get(), path);
  }

  absl::Status Open(int fd, const std::string& name) {
    fd_ = fd;
    struct stat info {};
    if (fstat(fd_, &info) != 0) return absl::InvalidArgumentError(CannotOpen(name));
    if (S_ISDIR(info.st_mode)) return InvalidArgument("{}: is a directory, expected a recording", name);
    // A pipe cannot go back: what was read for a look at the head is handed out again.
    head_.resize(kContainerHeadBytes);
    size_t have = 0;
    while (have < head_.size()) {
      const int count = ReadFile(std::span(head_).subspan(have));
      if (count == AVERROR_EOF) break;
      if (count < 0) return absl::InvalidArgumentError(CannotOpen(name));
      have += static_cast<size_t>(count);
    }
    head_.resize(have);
    return MakeContext(S_ISREG(info.st_mode));
  }

  std::span<const std::byte> head() const override { return head_; }

 protected:
  int Read(std::span<std::byte> buffer) override {
    if (replayed_ < head_.size()) {
      const size_t count = std::min(buffer.size(), head_.size() - replayed_);
      std::memcpy(buffer.data(), head_.data() + replayed_, count);
      replayed_ += count;
      return static_cast<int>(count);
    }
    return ReadFile(buffer);
  }

  int64_t Seek(int64_t offset, int whence) override {
    if (whence == AVSEEK_SIZE) {
      struct stat info {};
      return fstat(fd_, &info) == 0 ? info.st_size : AVERROR(errno);
    }
    if (whence == SEEK_CUR) offset -= static_cast<int64_t>(head_.size() - replayed_);
    const int64_t at = lseek(fd_, offset, whence);
    if (at < 0) return AVERROR(errno);
    replayed_ = head_.size();
    return at;
  }

 private:
  int ReadFile(std::span<std::byte> buffer) {
    ssize_t count = -1;
    do {
      count = read(fd_, buffer.data(), buffer.size());
    } while (count < 0 && errno == EINTR);
    if (count < 0) return AVERROR(errno);
    return count == 0 ? AVERROR_EOF : static_cast<int>(count);
  }

  UniqueFd own_;  // none: the descriptor is someone else's
  int fd_ = -1;
  std::vector<std::byte> head_;
  size_t replayed_ = 0;  // bytes of head_ that libav has seen
};

}  // namespace

absl::StatusOr<UniqueFd> OpenRecording(const std::string& path, int flags) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (fd) return fd;
  if (errno == ENOENT || errno == ENOTDIR) return absl::NotFoundError(CannotOpen(path));
  if (errno == EACCES || errno == EPERM) return absl::PermissionDeniedError(CannotOpen(path));
  return absl::InvalidArgumentError(CannotOpen(path));
}

QuietLibav::QuietLibav() {
  static std::once_flag installed;
  std::call_once(installed, [] { av_log_set_callback(LogUnlessQuiet); });
  ++quiet_depth;
}

QuietLibav::~QuietLibav() { --quiet_depth; }

absl::StatusOr<std::unique_ptr<LibavInput>> LibavInput::FromMemory(std::span<const std::byte> bytes) {
  auto input = std::make_unique<MemoryInput>(bytes);
  TUTTI_RETURN_IF_ERROR(input->Open());
  return input;
}

absl::StatusOr<std::unique_ptr<LibavInput>> LibavInput::FromFile(const std::string& path) {
  auto input = std::make_unique<FileInput>();
  TUTTI_RETURN_IF_ERROR(input->Open(path));
  return input;
}

absl::StatusOr<std::unique_ptr<LibavInput>> LibavInput::FromDescriptor(int fd, const std::string& name) {
  auto input = std::make_unique<FileInput>();
  TUTTI_RETURN_IF_ERROR(input->Open(fd, name));
  return input;
}

LibavInput::~LibavInput() {
  if (context_ == nullptr) return;
  av_freep(&context_->buffer);
  avio_context_free(&context_);
}

absl::Status LibavInput::MakeContext(bool seekable) {
  const auto read = [](void* self, uint8_t* buffer, int size) {
    return static_cast<LibavInput*>(self)->Read({reinterpret_cast<std::byte*>(buffer), static_cast<size_t>(size)});
  };
  const auto seek = [](void* self, int64_t offset, int whence) {
    return static_cast<LibavInput*>(self)->Seek(offset, whence & ~AVSEEK_FORCE);
  };
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
  if (buffer == nullptr) return ResourceExhausted("no memory for reading audio");
  context_ = avio_alloc_context(buffer, kBufferBytes, 0, this, read, nullptr, seekable ? +seek : nullptr);
  if (context_ != nullptr) return absl::OkStatus();
  av_free(buffer);
  return ResourceExhausted("no memory for reading audio");
}

}  // namespace tutti
