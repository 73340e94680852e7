#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include "base/status.h"

namespace tutti {

enum class ProgressMode { kBar, kLines, kJson, kNone };

// "auto" is a bar when `is_terminal`, else lines.
absl::StatusOr<ProgressMode> ParseProgressMode(std::string_view name, bool is_terminal);

// How far a run is.
struct RunState {
  size_t files = 0;
  size_t done = 0;  // with a result
  size_t failed = 0;
  size_t skipped = 0;          // were there already, not among `files`
  double audio_seconds = 0;    // recognised so far, that of unfinished files included
  double elapsed_seconds = 0;  // since the first file was started
  int64_t bytes = 0;           // of all files, where known
  int64_t bytes_finished = 0;  // of the finished ones

  double x_real_time() const { return elapsed_seconds > 0 ? audio_seconds / elapsed_seconds : 0; }
  // By the bytes that are left, since the length of a file is known only once it was read. Negative: not known.
  double seconds_left() const;
};

// Tells a person (bar, lines) or a program (json: one object a line) how a run goes. Writes to `out` only, which is
// standard error, except in tests. Not thread-safe.
class ProgressDisplay {
 public:
  using Time = std::chrono::steady_clock::time_point;

  ProgressDisplay(ProgressMode mode, std::FILE* out);

  // Call as often as you like: shows the state when it is time to.
  void Update(const RunState& state, Time now);

  // One input has a result or an error. Errors are shown in every mode.
  void FileDone(std::string_view file, const absl::Status& status, double audio_seconds, const RunState& state);

  // A line for people, in every mode.
  void Say(std::string_view message);

  // The last word; `peak_bytes` is the memory of the process at its highest.
  void End(const RunState& state, int64_t peak_bytes, bool interrupted);

 private:
  void Clear();

  const ProgressMode mode_;
  std::FILE* const out_;
  Time next_ = {};  // when Update shows something again
  bool bar_shown_ = false;
};

}  // namespace tutti
