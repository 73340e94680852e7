#pragma once

#include <atomic>
#include <thread>

namespace tutti {

// Turns SIGINT and SIGTERM into a flag, so that a run can end in good order. A second signal ends the process at once.
//
// A thread waits for the signals, which are blocked in all others: create it before any other thread. requested() and
// fd() are safe from any thread.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool requested() const { return requested_.load(); }
  // Readable once requested: for poll().
  int fd() const { return requested_fd_; }

 private:
  void Watch();

  const int signal_fd_;
  const int requested_fd_;
  const int stop_fd_;
  std::atomic<bool> requested_ = false;
  std::thread watcher_;
};

}  // namespace tutti
