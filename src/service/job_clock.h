#pragma once

#include <chrono>
#include <cstdint>

namespace tutti {

// The time that jobs go by; tests have one of their own. Thread-safe.
class JobClock {
 public:
  virtual ~JobClock() = default;

  // What is written down. It jumps when somebody sets the system's clock.
  virtual int64_t unix_ms() const {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  }
  // What pauses are measured by.
  virtual std::chrono::steady_clock::time_point now() const { return std::chrono::steady_clock::now(); }
};

}  // namespace tutti
