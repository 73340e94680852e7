#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "base/unique_fd.h"
#include "tutti/recognizer.h"

namespace tutti {

// Memory that the front and one worker share for one attempt at one recording: how far it is, which a dead worker
// leaves behind, and after it the finished segments and the result, which are written once and never sent.
//
// The front trusts nothing in it: it can grow but not shrink, and sizes are checked when it is read. SetProgress and
// progress are safe from any thread of either process; Append is for one thread at a time.
class JobSheet {
 public:
  static absl::StatusOr<std::unique_ptr<JobSheet>> Create();
  // The worker's side of one that the front has made.
  static absl::StatusOr<std::unique_ptr<JobSheet>> Adopt(UniqueFd fd);
  ~JobSheet();
  JobSheet(const JobSheet&) = delete;
  JobSheet& operator=(const JobSheet&) = delete;

  int fd() const { return fd_.get(); }

  void SetProgress(const Progress& progress);
  Progress progress() const;

  // Writes behind what is there and returns where.
  absl::StatusOr<int64_t> Append(std::string_view bytes);
  // DataLoss when the sheet has no such part.
  absl::StatusOr<std::string> Read(int64_t offset, int64_t size) const;

 private:
  struct Page;

  JobSheet(UniqueFd fd, Page* page) : fd_(std::move(fd)), page_(page) {}
  static absl::StatusOr<std::unique_ptr<JobSheet>> Map(UniqueFd fd);

  const UniqueFd fd_;
  Page* const page_;
  int64_t end_ = 0;  // where the next part goes
};

// Audio in memory for a worker to read: written once, then sealed against any change.
absl::StatusOr<UniqueFd> ShareBytes(std::span<const std::byte> bytes);

// The worker's view of it. The descriptor is not needed any more.
struct SharedBytes {
  std::shared_ptr<const void> keep_alive;
  std::span<const std::byte> bytes;
};
absl::StatusOr<SharedBytes> MapShared(int fd, int64_t size);

}  // namespace tutti
