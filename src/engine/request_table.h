#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "engine/request.h"

namespace tutti {

// The requests that are accepted and not finished: bounds their number, and ends at once those that are cancelled or
// past their deadline, wherever in the engine they are.
//
// Decode threads and workers only ever ask a request whether it has stopped; telling its owner is the business of a
// thread of this table, so that nobody waits for a busy worker to notice, and no callback runs inside Cancel.
//
// Thread-safe. Start once, Close before the last reference goes.
class RequestTable final : public RequestObserver, public std::enable_shared_from_this<RequestTable> {
 public:
  explicit RequestTable(int64_t max_pending) : max_pending_(max_pending) {}
  ~RequestTable() override { Close(); }

  // Starts the table's thread. `drop_stopped` lets go of what the engine holds of requests that were ended.
  void Start(std::function<void()> drop_stopped);

  // ResourceExhausted when full; with `wait`, waits for room instead, until the deadline. Cancelled after Close.
  absl::StatusOr<std::shared_ptr<Request>> Admit(bool wait, Request::Identity identity, TranscribeOptions options,
                                                 Recognizer::OnDone on_done, SyncPoints* sync_points)
      TUTTI_EXCLUDES(mu_);

  // Admits nothing from now on and cancels what is pending. Returns when all of it has been told. Idempotent, but not
  // for several threads at once.
  void Close() TUTTI_EXCLUDES(mu_);

  int64_t pending() const TUTTI_EXCLUDES(mu_);

  void OnCancelled(int64_t id) override TUTTI_EXCLUDES(mu_);
  void OnFinished(int64_t id) override TUTTI_EXCLUDES(mu_);

 private:
  using Time = std::chrono::steady_clock::time_point;

  void Run() TUTTI_EXCLUDES(mu_);
  std::vector<std::shared_ptr<Request>> TakeStopped() TUTTI_REQUIRES(mu_);

  const int64_t max_pending_;
  std::function<void()> drop_stopped_;
  std::thread thread_;

  mutable Mutex mu_;
  CondVar stopped_;  // a request stopped, a deadline was added, or Close
  CondVar room_;     // a request finished, or Close
  std::map<int64_t, std::shared_ptr<Request>> pending_ TUTTI_GUARDED_BY(mu_);
  std::set<std::pair<Time, int64_t>> deadlines_ TUTTI_GUARDED_BY(mu_);
  std::vector<int64_t> cancelled_ TUTTI_GUARDED_BY(mu_);
  int64_t next_id_ TUTTI_GUARDED_BY(mu_) = 0;
  bool closed_ TUTTI_GUARDED_BY(mu_) = false;
};

}  // namespace tutti
