#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "service/dispatcher.h"
#include "service/fair_queue.h"
#include "service/speed_meter.h"

namespace tutti {

// The requests that are accepted and not finished, and who is next. Apart from the Dispatcher because callbacks of the
// recogniser hold it until they have returned, which may be later than the Dispatcher's end.
//
// A request waits (in queue_, and in deadlines_ if it has one), is being handed over (the dispatcher's thread is in
// Recognizer::Submit with it), or runs (the recogniser will call Finished). It leaves requests_ when it ends; told is
// its owner after that, without the lock, by the recogniser's thread or from endings_ by the dispatcher's.
//
// Thread-safe. Run is for one thread.
class Dispatcher::State final : public std::enable_shared_from_this<State> {
 public:
  explicit State(const DispatcherOptions& options) : options_(options) {}

  absl::StatusOr<int64_t> Submit(Work work) TUTTI_EXCLUDES(mu_);
  void Cancel(int64_t id) TUTTI_EXCLUDES(mu_);
  void Drain() TUTTI_EXCLUDES(mu_);
  double RetryAfterSeconds() TUTTI_EXCLUDES(mu_);
  Load load() const TUTTI_EXCLUDES(mu_);

  // Hands over and ends requests until Close was called and the last owner was told.
  void Run(Recognizer& recognizer) TUTTI_EXCLUDES(mu_);
  // Accepts nothing from now on and cancels what is pending.
  void Close() TUTTI_EXCLUDES(mu_);

 private:
  using Time = std::chrono::steady_clock::time_point;
  using OnProgress = std::function<void(const Progress&)>;

  struct Request {
    Work work;                                   // its seconds are what the accounts have
    std::shared_ptr<const OnProgress> progress;  // taken out of work.options
    bool waits = true;
    bool cancelled = false;                        // while it was handed over
    std::shared_ptr<Transcription> transcription;  // while it runs
    double decoded_seconds = 0, finished_seconds = 0;
  };
  using Requests = std::map<int64_t, Request>;
  struct Ending {
    Request request;
    absl::Status status;
  };
  struct Running {
    int64_t count = 0;
    double seconds = 0;
  };

  // For the recogniser's threads.
  void Report(int64_t id, const Progress& progress) TUTTI_EXCLUDES(mu_);
  void Finished(int64_t id, const absl::StatusOr<Transcript>& result) TUTTI_EXCLUDES(mu_);

  void HandOver(Recognizer& recognizer, const FairQueue::Item& item) TUTTI_EXCLUDES(mu_);
  void Refused(Requests::iterator found, const FairQueue::Item& item, const absl::Status& status) TUTTI_REQUIRES(mu_);
  // Calls on_done and lets go of everything that is the owner's before it counts as told.
  void Tell(Request request, const absl::StatusOr<Transcript>& result) TUTTI_EXCLUDES(mu_);

  std::optional<FairQueue::Item> TakeNext() TUTTI_REQUIRES(mu_);
  void EndExpired() TUTTI_REQUIRES(mu_);
  void WaitForChange() TUTTI_REQUIRES(mu_);
  // Takes a waiting request out, to be told `status`.
  Requests::iterator EndWaiting(Requests::iterator found, absl::Status status) TUTTI_REQUIRES(mu_);
  void End(Requests::iterator found, absl::Status status) TUTTI_REQUIRES(mu_);
  void BeginRunning(const Work& work) TUTTI_REQUIRES(mu_);
  void EndRunning(const Work& work) TUTTI_REQUIRES(mu_);
  // The tenant's account and the running sum learn that a running recording is this long.
  void CorrectSeconds(Work& work, double seconds) TUTTI_REQUIRES(mu_);
  Running& RunningOf(const Work& work) TUTTI_REQUIRES(mu_);
  Running running() const TUTTI_REQUIRES(mu_);

  const DispatcherOptions options_;

  mutable Mutex mu_;
  CondVar changed_;  // whatever Run looks at
  FairQueue queue_ TUTTI_GUARDED_BY(mu_);
  Requests requests_ TUTTI_GUARDED_BY(mu_);
  std::set<std::pair<Time, int64_t>> deadlines_ TUTTI_GUARDED_BY(mu_);
  std::vector<Ending> endings_ TUTTI_GUARDED_BY(mu_);
  Running running_[2] TUTTI_GUARDED_BY(mu_);  // interactive, batch; with what is being handed over
  SpeedMeter speed_ TUTTI_GUARDED_BY(mu_);
  std::optional<Time> retry_at_ TUTTI_GUARDED_BY(mu_);  // the recogniser had no room
  int64_t next_id_ TUTTI_GUARDED_BY(mu_) = 0;
  int64_t untold_ TUTTI_GUARDED_BY(mu_) = 0;  // accepted, on_done has not returned
  bool draining_ TUTTI_GUARDED_BY(mu_) = false;
  bool closed_ TUTTI_GUARDED_BY(mu_) = false;
};

}  // namespace tutti
