#include "pool/job_sheet.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tutti {
namespace {

constexpr int64_t kPageBytes = 4096;
constexpr int64_t kMaxPartBytes = int64_t{256} << 20;  // a day of dense speech has a tenth of it

absl::Status NoMemory(std::string_view what) {
  return ResourceExhausted("shared memory: cannot {}: {}", what, std::strerror(errno));
}

absl::Status WriteAll(int fd, std::span<const std::byte> bytes, int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return NoMemory("write");
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += written;
  }
  return absl::OkStatus();
}

}  // namespace

struct JobSheet::Page {
  std::atomic<int64_t> audio_ms_decoded, segments_found, segments_done;
  static_assert(std::atomic<int64_t>::is_always_lock_free);
};

absl::StatusOr<std::unique_ptr<JobSheet>> JobSheet::Map(UniqueFd fd) {
  void* const page = mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (page == MAP_FAILED) return NoMemory("map");
  std::unique_ptr<JobSheet> sheet(new JobSheet(std::move(fd), static_cast<Page*>(page)));
  sheet->end_ = kPageBytes;
  return sheet;
}

absl::StatusOr<std::unique_ptr<JobSheet>> JobSheet::Create() {
  UniqueFd fd(memfd_create("tutti job", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return NoMemory("make it");
  if (ftruncate(fd.get(), kPageBytes) != 0) return NoMemory("size it");
  // A page that goes away would end the front with SIGBUS.
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) != 0) return NoMemory("seal it");
  return Map(std::move(fd));
}

absl::StatusOr<std::unique_ptr<JobSheet>> JobSheet::Adopt(UniqueFd fd) { return Map(std::move(fd)); }

JobSheet::~JobSheet() { munmap(page_, kPageBytes); }

void JobSheet::SetProgress(const Progress& progress) {
  page_->audio_ms_decoded.store(progress.audio_ms_decoded, std::memory_order_relaxed);
  page_->segments_found.store(progress.segments_found, std::memory_order_relaxed);
  page_->segments_done.store(progress.segments_done, std::memory_order_relaxed);
}

Progress JobSheet::progress() const {
  return {.audio_ms_decoded = page_->audio_ms_decoded.load(std::memory_order_relaxed),
          .segments_found = page_->segments_found.load(std::memory_order_relaxed),
          .segments_done = page_->segments_done.load(std::memory_order_relaxed)};
}

absl::StatusOr<int64_t> JobSheet::Append(std::string_view bytes) {
  TUTTI_RETURN_IF_ERROR(WriteAll(fd_.get(), std::as_bytes(std::span(bytes)), end_));
  return std::exchange(end_, end_ + static_cast<int64_t>(bytes.size()));
}

absl::StatusOr<std::string> JobSheet::Read(int64_t offset, int64_t size) const {
  struct stat info {};
  if (fstat(fd_.get(), &info) != 0 || offset < kPageBytes || size < 0 || size > kMaxPartBytes ||
      offset > info.st_size - size) {
    return DataLoss("result from a process: {} bytes at {} are not in its memory", size, offset);
  }
  std::string bytes(static_cast<size_t>(size), '\0');
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t got = pread(fd_.get(), bytes.data() + at, bytes.size() - at, offset + static_cast<int64_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return NoMemory("read");
    at += static_cast<size_t>(got);
  }
  return bytes;
}

absl::StatusOr<UniqueFd> ShareBytes(std::span<const std::byte> bytes) {
  UniqueFd fd(memfd_create("tutti audio", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return NoMemory("make it");
  TUTTI_RETURN_IF_ERROR(WriteAll(fd.get(), bytes, 0));
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
    return NoMemory("seal it");
  }
  return fd;
}

absl::StatusOr<SharedBytes> MapShared(int fd, int64_t size) {
  if (size == 0) return SharedBytes{};
  const auto bytes = static_cast<size_t>(size);
  void* const data = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED) return NoMemory("map");
  return SharedBytes{.keep_alive = std::shared_ptr<const void>(data, [bytes](void* at) { munmap(at, bytes); }),
                     .bytes = {static_cast<const std::byte*>(data), bytes}};
}

}  // namespace tutti
