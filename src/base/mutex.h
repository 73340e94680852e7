#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/thread_annotations.h"

namespace tutti {

// std::mutex with Clang's thread-safety attributes. TSan understands it.
class TUTTI_CAPABILITY("mutex") Mutex {
 public:
  void Lock() TUTTI_ACQUIRE() { mu_.lock(); }
  void Unlock() TUTTI_RELEASE() { mu_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mu_;
};

class TUTTI_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mu) TUTTI_ACQUIRE(mu) : mu_(mu) { mu_.Lock(); }
  ~MutexLock() TUTTI_RELEASE() { mu_.Unlock(); }

  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mu_;
};

class CondVar {
 public:
  // Releases `mu`, sleeps, takes `mu` again. Wakes spuriously: wait in a loop.
  void Wait(Mutex& mu) TUTTI_REQUIRES(mu) {
    std::unique_lock<std::mutex> held(mu.mu_, std::adopt_lock);
    cv_.wait(held);
    held.release();
  }
  // As Wait, but returns at `deadline` at the latest. False when the deadline has passed.
  bool WaitUntil(Mutex& mu, std::chrono::steady_clock::time_point deadline) TUTTI_REQUIRES(mu) {
    std::unique_lock<std::mutex> held(mu.mu_, std::adopt_lock);
    // wait_until on the system clock: gcc 12's TSan does not know pthread_cond_clockwait.
    const auto left = deadline - std::chrono::steady_clock::now();
    const bool in_time = cv_.wait_until(held, std::chrono::system_clock::now() + left) == std::cv_status::no_timeout;
    held.release();
    return in_time;
  }
  void NotifyOne() { cv_.notify_one(); }
  void NotifyAll() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace tutti
