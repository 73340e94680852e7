#pragma once

#include <chrono>
#include <cstdint>

namespace tutti {

// Times are kept in whole milliseconds and told in seconds.
inline double SecondsOf(int64_t ms) { return static_cast<double>(ms) / 1000; }
inline double SecondsOf(std::chrono::milliseconds time) { return SecondsOf(time.count()); }

// Seconds from `start` until this call.
inline double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace tutti
