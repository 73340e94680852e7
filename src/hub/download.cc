#include "hub/download.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <utility>

#include "base/file.h"
#include "base/unique_fd.h"
#include "service/sha256.h"

namespace tutti {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 40;
constexpr int kTries = 5;  // cuts that are followed by another try

// The first byte and the size of the whole that "bytes 100-199/200" tells; -1: not told.
std::pair<int64_t, int64_t> ParseContentRange(std::string_view text) {
  std::pair<int64_t, int64_t> range = {-1, -1};
  if (!text.starts_with("bytes ")) return range;
  std::from_chars(text.data() + 6, text.data() + text.size(), range.first);
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    std::from_chars(text.data() + slash + 1, text.data() + text.size(), range.second);
  }
  return range;
}

// The file while it is not whole.
class PartFile {
 public:
  PartFile(const ModelFile& file, std::string path) : file_(file), path_(std::move(path)), part_(path_ + ".part") {}

  // Takes up what is there, if it can be of use.
  absl::Status Open() {
    fd_.Reset(open(part_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!fd_) return SystemError("create", part_, errno);
    sha256_.Restart();
    bytes_ = taken_up_ = 0;
    struct stat info = {};
    if (fstat(fd_.get(), &info) != 0) return SystemError("stat", part_, errno);
    if (file_.sha256.empty() || (file_.size >= 0 && info.st_size > file_.size)) return Restart();
    std::string piece(size_t{1} << 18, '\0');
    while (bytes_ < info.st_size) {
      const ssize_t count = pread(fd_.get(), piece.data(), piece.size(), bytes_);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return SystemError("read", part_, count < 0 ? errno : EIO);
      sha256_.Add(std::string_view(piece).substr(0, static_cast<size_t>(count)));
      bytes_ += count;
    }
    taken_up_ = bytes_;
    return absl::OkStatus();
  }

  absl::Status Restart() {
    if (ftruncate(fd_.get(), 0) != 0) return SystemError("truncate", part_, errno);
    sha256_.Restart();
    bytes_ = taken_up_ = 0;
    return absl::OkStatus();
  }

  absl::Status Append(std::string_view bytes) {
    sha256_.Add(bytes);
    while (!bytes.empty()) {
      const ssize_t count = pwrite(fd_.get(), bytes.data(), bytes.size(), bytes_);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return SystemError("write", part_, errno);
      bytes_ += count;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return absl::OkStatus();
  }

  // Renames it; or removes it when it is not what was expected.
  absl::StatusOr<ModelFile> Finish() {
    ModelFile whole{.name = file_.name, .size = bytes_, .sha256 = sha256_.Finish()};
    if (!file_.sha256.empty() && whole.sha256 != file_.sha256) {
      unlink(part_.c_str());
      return DataLoss("{}: the sha256 of what came is {}, expected {}; it was thrown away", file_.name, whole.sha256,
                      file_.sha256);
    }
    if (fsync(fd_.get()) != 0) return SystemError("write to the disk", part_, errno);
    if (rename(part_.c_str(), path_.c_str()) != 0) return SystemError("rename the finished file to", path_, errno);
    return whole;
  }

  bool is_whole() const { return file_.size >= 0 && bytes_ == file_.size; }
  int64_t bytes() const { return bytes_; }
  bool was_taken_up() const { return taken_up_ > 0; }

 private:
  const ModelFile& file_;
  const std::string path_, part_;
  UniqueFd fd_;
  Sha256Stream sha256_;
  int64_t bytes_ = 0;     // in the file and in sha256_
  int64_t taken_up_ = 0;  // of these, those of an earlier call
};

// One request for what is missing.
absl::Status FetchRest(HttpClient& http, const std::string& url, const ModelFile& file, PartFile& part,
                       const DownloadProgress& progress) {
  int64_t total = file.size;
  const HttpGet get{.url = url,
                    .headers = {"Accept-Encoding: identity"},  // else a range would be one of compressed bytes
                    .from = part.bytes(),
                    .max_bytes = file.size >= 0 ? file.size : kMostBytes};
  const auto begin = [&](const HttpHead& head) -> absl::Status {
    const auto [from, size] = ParseContentRange(head.content_range);
    if (head.status == 206 && file.size >= 0 && size >= 0 && size != file.size) {
      return DataLoss("{}: {} has {} bytes, expected {}", file.name, ShownUrl(head.url), size, file.size);
    }
    if (head.status == 206 && from != part.bytes()) {
      return absl::OutOfRangeError(fmt::format("{}: another range came", file.name));
    }
    if (head.status != 206) TUTTI_RETURN_IF_ERROR(part.Restart());  // a server without ranges sends it all
    if (total < 0 && head.length >= 0) total = part.bytes() + head.length;
    return absl::OkStatus();
  };
  const auto receive = [&](std::string_view piece) -> absl::Status {
    TUTTI_RETURN_IF_ERROR(part.Append(piece));
    progress(part.bytes(), total);
    return absl::OkStatus();
  };
  TUTTI_RETURN_IF_ERROR(http.Get(get, begin, receive));
  if (file.size >= 0 && !part.is_whole()) {
    return Unavailable("{}: ended after {} of {} bytes", ShownUrl(url), part.bytes(), file.size);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelFile> Download(HttpClient& http, const std::string& url, const ModelFile& file,
                                   const std::string& path, const DownloadProgress& progress) {
  PartFile part(file, path);
  TUTTI_RETURN_IF_ERROR(part.Open());
  for (int tries = 1;; ++tries) {
    const int64_t before = part.bytes();
    if (!part.is_whole()) {
      const absl::Status status = FetchRest(http, url, file, part, progress);
      // One that stalled is given up: the next source goes on where it ended.
      const bool gets_on = absl::IsUnavailable(status) && part.bytes() > before && tries < kTries;
      const bool start_again = absl::IsOutOfRange(status) && before > 0 && tries < kTries;
      if (start_again || (gets_on && file.sha256.empty())) TUTTI_RETURN_IF_ERROR(part.Restart());
      if (gets_on || start_again) continue;
      if (!status.ok()) return status;
    }
    progress(part.bytes(), part.bytes());
    const bool was_taken_up = part.was_taken_up();
    auto whole = part.Finish();
    // The start may have been of another file; what is wholly new would be wrong again.
    if (!absl::IsDataLoss(whole.status()) || !was_taken_up) return whole;
    TUTTI_RETURN_IF_ERROR(part.Open());
  }
}

}  // namespace tutti
