#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace tutti {

// "148 MB", "1.2 GB": powers of ten, as hubs show sizes.
std::string ShownBytes(int64_t bytes);

// Shows a person how a download goes: a bar on a terminal, else a line now and then. Writes to `out` only, which is
// standard error, except in tests. Not thread-safe.
class PullDisplay {
 public:
  using Time = std::chrono::steady_clock::time_point;

  PullDisplay(std::string name, bool is_terminal, std::FILE* out);
  // Leaves no bar behind.
  ~PullDisplay();

  PullDisplay(const PullDisplay&) = delete;
  PullDisplay& operator=(const PullDisplay&) = delete;

  // Call as often as you like: shows it when it is time to. `total` is -1 when nobody knows it.
  void Update(int64_t done, int64_t total, Time now);
  // A line for people.
  void Say(std::string_view message);

 private:
  void Clear();

  const std::string name_;
  const bool is_terminal_;
  std::FILE* const out_;
  Time first_ = {};  // the first Update; speed counts from there
  int64_t first_done_ = 0;
  Time next_ = {};  // when Update shows something again
  bool bar_shown_ = false;
};

}  // namespace tutti
