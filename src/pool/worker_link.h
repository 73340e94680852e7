#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "pool/channel.h"
#include "pool/pool_options.h"

namespace tutti {

// What a process said on standard error: whole lines as they come, and the last few for whoever asks what happened.
// Not thread-safe.
class LogTail {
 public:
  void Add(std::string_view bytes, const std::function<void(std::string_view line)>& on_line);
  // One line, oldest first; "" when it said nothing.
  std::string Text() const;

 private:
  std::string unfinished_;
  std::deque<std::string> last_;
};

// Whether a worker is still at work, told by its signs of life and by what it gets done. Time is what the front has
// itself been awake for, so that a machine that was asleep accuses nobody. Not thread-safe.
class WorkerHealth {
 public:
  void Beat() { silent_ = {}; }
  // The sum of all that it has done on what it holds, in any unit.
  void Progress(int64_t done) {
    if (done != done_) stalled_ = {};
    done_ = done;
  }
  void Idle() { stalled_ = {}; }
  void Advance(std::chrono::milliseconds passed) {
    silent_ += passed;
    stalled_ += passed;
    age_ += passed;
  }

  // Why it must go, as "gave no sign of life for 10 s"; none while it is well. `audio_ms` is what it has decoded of
  // what it holds.
  std::optional<std::string> Complaint(const PoolOptions& options, int64_t audio_ms) const;
  std::chrono::milliseconds age() const { return age_; }

 private:
  std::chrono::milliseconds silent_{0}, stalled_{0}, age_{0};
  int64_t done_ = 0;
};

inline constexpr std::chrono::minutes kGoodAge(1);  // a process that dies later is no sign of a crash loop

// How long to wait before a process is replaced, after so many (≥ 1) in a row that were of no use: twice as long each
// time, within the options' bounds.
std::chrono::milliseconds BackOff(const PoolOptions& options, int in_a_row);

// A worker as the front has it. Not thread-safe.
struct WorkerLink {
  int64_t id = 0;
  int64_t slot = 0;
  int64_t pid = 0;  // 0: not born yet
  Channel channel;
  UniqueFd log;
  LogTail tail;
  WorkerHealth health;
  bool up = false;         // it takes jobs
  bool retiring = false;   // it gets no more
  std::string killed_for;  // not empty: we had it killed, and why
  int64_t finished = 0;    // recordings
  int64_t resident_bytes = 0;

  bool takes_jobs() const { return up && !retiring && killed_for.empty() && static_cast<bool>(channel); }
};

// "was killed by signal 11 (Segmentation fault)". `wait_status` as of waitpid.
std::string DescribeEnd(int wait_status);

}  // namespace tutti
