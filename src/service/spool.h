#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/status.h"

namespace tutti {

class Spool;

// Names of uploads in a spool's folder begin with it.
inline constexpr std::string_view kUploadPrefix = "upload-";

// An upload on its way to the decoder: a file that is removed with the last who holds it. One writer, then any number
// of readers of path().
class SpoolFile {
 public:
  ~SpoolFile();
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;

  // ResourceExhausted when the spool is full, Unavailable when the disk is. A piece may be missing after an error.
  absl::Status Append(std::string_view bytes);
  // No more will be written.
  void Close();
  // Somebody has moved the file away and keeps it: its bytes count until Spool::Count takes them off again.
  void HandOver() { is_handed_over_ = true; }

  const std::string& path() const { return path_; }
  int64_t bytes() const { return bytes_; }
  // The first bytes, at most kHeadBytes: enough for EstimateSeconds.
  static constexpr size_t kHeadBytes = 64;
  const std::string& head() const { return head_; }

 private:
  friend class Spool;
  SpoolFile(std::shared_ptr<Spool> spool, std::string path, int fd)
      : spool_(std::move(spool)), path_(std::move(path)), fd_(fd) {}

  const std::shared_ptr<Spool> spool_;
  const std::string path_;
  int fd_;  // -1: closed
  int64_t bytes_ = 0;
  bool is_handed_over_ = false;
  std::string head_;
};

// A folder for uploads, with a bound on the bytes in it.
//
// Thread-safe: any number of threads may call any method at the same time, and may drop files.
class Spool : public std::enable_shared_from_this<Spool> {
 public:
  // `folder` is made when missing; empty: one of its own below $TMPDIR or /tmp, which goes with the spool.
  static absl::StatusOr<std::shared_ptr<Spool>> Create(const std::string& folder, int64_t max_bytes);
  ~Spool();

  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Unavailable when the disk has no room.
  absl::StatusOr<std::shared_ptr<SpoolFile>> NewFile();

  // Bytes that came into the folder (or went, below 0) otherwise than through a SpoolFile. They count whatever the
  // bound.
  void Count(int64_t bytes) TUTTI_EXCLUDES(mu_);
  // For what comes from now on.
  void SetMaxBytes(int64_t max_bytes) TUTTI_EXCLUDES(mu_);

  const std::string& folder() const { return folder_; }
  int64_t bytes() const TUTTI_EXCLUDES(mu_);

 private:
  friend class SpoolFile;
  Spool(std::string folder, bool is_ours, int64_t max_bytes)
      : folder_(std::move(folder)), is_ours_(is_ours), max_bytes_(max_bytes) {}

  bool Take(int64_t bytes) TUTTI_EXCLUDES(mu_);

  const std::string folder_;
  const bool is_ours_;

  mutable Mutex mu_;
  int64_t max_bytes_ TUTTI_GUARDED_BY(mu_);
  int64_t bytes_ TUTTI_GUARDED_BY(mu_) = 0;
};

// How long the audio of a file may be, before anybody has decoded it: exact for plain WAV, a guess from its size for
// everything else. At least 0.1 s.
double EstimateSeconds(std::string_view head, int64_t bytes);

}  // namespace tutti
