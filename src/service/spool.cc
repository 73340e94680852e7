#include "service/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace tutti {

SpoolFile::~SpoolFile() {
  Close();
  if (is_handed_over_) return;
  unlink(path_.c_str());
  spool_->Count(-bytes_);
}

absl::Status SpoolFile::Append(std::string_view bytes) {
  if (head_.size() < kHeadBytes) head_ += bytes.substr(0, kHeadBytes - head_.size());
  if (!spool_->Take(std::ssize(bytes))) {
    return ResourceExhausted("the disk space for uploads is used up; try again later");
  }
  bytes_ += std::ssize(bytes);
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Unavailable("cannot store the upload: {}", std::strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

void SpoolFile::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

absl::StatusOr<std::shared_ptr<Spool>> Spool::Create(const std::string& folder, int64_t max_bytes) {
  std::error_code error;
  if (!folder.empty()) {
    std::filesystem::create_directories(folder, error);
    if (error) return InvalidArgument("files.spool: cannot make {}: {}", folder, error.message());
    if (access(folder.c_str(), W_OK | X_OK) != 0) {
      return InvalidArgument("files.spool: cannot write into {}: {}", folder, std::strerror(errno));
    }
    return std::shared_ptr<Spool>(new Spool(folder, false, max_bytes));
  }
  std::string path = (std::filesystem::temp_directory_path(error) / "tutti-spool-XXXXXX").string();
  if (error) return InvalidArgument("files.spool: no folder for temporary files: {}", error.message());
  if (mkdtemp(path.data()) == nullptr) return InvalidArgument("files.spool: {}: {}", path, std::strerror(errno));
  return std::shared_ptr<Spool>(new Spool(path, true, max_bytes));
}

Spool::~Spool() {
  std::error_code ignored;
  if (is_ours_) std::filesystem::remove_all(folder_, ignored);
}

absl::StatusOr<std::shared_ptr<SpoolFile>> Spool::NewFile() {
  std::string path = fmt::format("{}/{}XXXXXX", folder_, kUploadPrefix);
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) return Unavailable("cannot store the upload: {}", std::strerror(errno));
  return std::shared_ptr<SpoolFile>(new SpoolFile(shared_from_this(), path, fd));
}

int64_t Spool::bytes() const {
  MutexLock lock(mu_);
  return bytes_;
}

bool Spool::Take(int64_t bytes) {
  MutexLock lock(mu_);
  if (bytes_ + bytes > max_bytes_) return false;
  bytes_ += bytes;
  return true;
}

void Spool::Count(int64_t bytes) {
  MutexLock lock(mu_);
  bytes_ += bytes;
}

void Spool::SetMaxBytes(int64_t max_bytes) {
  MutexLock lock(mu_);
  max_bytes_ = max_bytes;
}

double EstimateSeconds(std::string_view head, int64_t bytes) {
  double bytes_per_second = 8000;  // speech at 64 kbit/s: a phone's recording, MP3, G.711
  if (head.size() >= 32 && head.starts_with("RIFF") && head.substr(8, 8) == "WAVEfmt ") {
    uint32_t rate = 0;
    std::memcpy(&rate, head.data() + 28, sizeof(rate));
    if (rate >= 1000) bytes_per_second = rate;
  } else if (head.starts_with("fLaC")) {
    bytes_per_second = 20'000;
  }
  return std::max(0.1, static_cast<double>(bytes) / bytes_per_second);
}

}  // namespace tutti
