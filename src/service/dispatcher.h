#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/status.h"
#include "tutti/recognizer.h"

namespace tutti {

struct DispatcherOptions {
  // Audio that may wait or run, over all tenants; beyond it Submit refuses. A single recording longer than this is
  // taken when nothing else is there.
  double queue_seconds = 3600;
  // The last part of it is kept for interactive requests.
  double interactive_share = 0.125;
  // Audio that is in the engine at once: enough to fill a batch for every worker and the next ones, little enough that
  // who comes next is decided here, fairly, and not by order of arrival. Another begins while there is less, so that
  // the last may reach beyond. Interactive requests are held back by interactive audio only: the engine runs them
  // before all else, and hours of batch work that have begun shall not keep them here.
  double window_seconds = 480;
  // A recogniser that had no room (its max_pending) is tried again when a recording of ours ends, or after this long.
  std::chrono::milliseconds retry_interval{50};
};

// Stands between many clients and one recogniser: bounds what is accepted, and hands it on in fair order.
//
// A thread of its own hands work to the recogniser, one recording at a time in the queue's order, and ends what is
// cancelled or past its deadline while it waits, so that nobody depends on another recording's end for that.
//
// Thread-safe: any number of threads may call any method at the same time. Callbacks come from threads of the
// recogniser or from that of the dispatcher, without locks held, never from within Submit or Cancel; they may submit
// more but must neither wait nor throw. The destructor cancels what is pending and returns after the last callback, so
// it must not run within one.
class Dispatcher {
 public:
  struct Work {
    std::string tenant;
    double seconds = 1;  // of audio, as far as is known
    AudioInput input;
    TranscribeOptions options;  // priority and deadline count here, too
    // Called once with the result, or with Cancelled or DeadlineExceeded, or with the error by which the recogniser
    // refused it.
    std::function<void(const absl::StatusOr<Transcript>&)> on_done;
  };

  // One accepted request. May outlive the dispatcher.
  class Ticket {
   public:
    virtual ~Ticket() = default;
    // Work that has not started will not; on_done still comes. Idempotent, from any thread.
    virtual void Cancel() = 0;
  };

  struct Load {
    int64_t waiting = 0, running = 0;                 // requests
    double waiting_seconds = 0, running_seconds = 0;  // of audio
    double queue_seconds = 0;                         // the bound
  };

  Dispatcher(std::shared_ptr<Recognizer> recognizer, const DispatcherOptions& options);
  ~Dispatcher();

  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // ResourceExhausted when the queue is full, Unavailable after Drain, InvalidArgument for seconds that are none. On an
  // error on_done is not called. Options that the engine refuses are found out later, and end it through on_done.
  absl::StatusOr<std::shared_ptr<Ticket>> Submit(Work work);

  // When a full queue will have room, judging by the last minute's speed; 1 … 3600 s.
  double RetryAfterSeconds() const;

  // Accepts nothing from now on; what was accepted goes on. Idempotent.
  void Drain();

  Load load() const;

 private:
  class State;
  class StateTicket;

  // Not the state's: late callbacks hold that, and the recogniser must not end in one of its own threads.
  const std::shared_ptr<Recognizer> recognizer_;
  const std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace tutti
