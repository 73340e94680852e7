#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

namespace tutti::testing {

// A door that opens once.
class Gate {
 public:
  void Open() {
    open_ = true;
    open_.notify_all();
  }
  void Wait() const { open_.wait(false); }

 private:
  std::atomic<bool> open_ = false;
};

// Waits for a condition that another thread will bring about; false after half a minute.
inline bool Eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 30'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

}  // namespace tutti::testing
