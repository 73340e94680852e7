#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "engine/request.h"
#include "tutti/vad.h"

namespace tutti {

// A stretch of speech on its way to a worker.
struct QueuedSegment {
  std::shared_ptr<Request> request;
  int64_t number = 0;              // what Request::ExpectSegment returned
  std::vector<VadSegment> pieces;  // of the recording, joined; one at least, in order
  int channel = 0;
  int64_t rows = 0;                    // of features
  int64_t cost = 0;                    // what it counts as in a batch: rows, or more where the model fills it up
  std::vector<float> features;         // [rows, width]
  std::vector<int32_t> previous = {};  // ids of the text that stands before it, where the search is told so
  SpokenLanguage language = {};        // the recording's, where it has one and that is known

  int64_t bytes() const { return static_cast<int64_t>(features.size() * sizeof(float)); }
  bool interactive() const { return request->options().priority == Priority::kInteractive; }
};

struct SegmentQueueOptions {
  // Waiting audio beyond either makes Push fail.
  int64_t max_rows = 10'000;
  int64_t max_bytes = int64_t{256} << 20;
  // Threads that will call PopBatch: none takes more than its share of what waits.
  int64_t workers = 1;
  // So long a worker waits before it counts as idle.
  std::chrono::milliseconds patience = std::chrono::seconds(1);
};

// Segments that wait for a worker: interactive ones first, the oldest first among equals.
//
// The bounds are in audio and bytes, because those are what a caller waits for and what memory holds; a count of
// segments would say nothing. Only a segment that is larger than a bound all by itself may exceed it, alone. The last
// eighth of the bounds is kept for interactive segments, so that a backlog of batch work cannot shut them out.
//
// Segments whose request has stopped are let go instead of being queued or handed out; the request reports by itself.
//
// Thread-safe: any number of threads may call any method at the same time.
class SegmentQueue {
 public:
  // `on_room`, if any, is called without locks after segments have left.
  explicit SegmentQueue(SegmentQueueOptions options, std::function<void()> on_room = nullptr)
      : options_(options), on_room_(std::move(on_room)) {}

  SegmentQueue(const SegmentQueue&) = delete;
  SegmentQueue& operator=(const SegmentQueue&) = delete;

  bool HasRoomFor(const QueuedSegment& segment) const TUTTI_EXCLUDES(mu_);

  // ResourceExhausted when there is no room, FailedPrecondition after Close, Cancelled when its request has stopped.
  // The segment is untouched on error.
  absl::Status Push(std::unique_ptr<QueuedSegment>& segment) TUTTI_EXCLUDES(mu_);

  // Waits for a segment, then takes it and as many of the next as fit into a `budget` of cost in all, never waiting for
  // more. The first is taken whatever its length, so a long segment cannot starve. Less rides along
  // - when the first is interactive and short: at most an eighth of the budget (LevelDB's rule for group commit), so
  //   that it is not kept waiting by its company;
  // - when other workers are waiting too: each takes its share;
  // - when less than a budget for each worker waits: its share, so that at the end of a job they end together; but
  //   never less than an eighth of the budget, below which batches are inefficient.
  // Empty only after Close. `on_idle`, if any, is called once, without locks, when nothing has come for `patience`.
  std::vector<std::unique_ptr<QueuedSegment>> PopBatch(int64_t budget, const std::function<void()>& on_idle = nullptr)
      TUTTI_EXCLUDES(mu_);

  // The same without waiting, and only what fits, for a worker that has begun others.
  std::vector<std::unique_ptr<QueuedSegment>> TakeMore(int64_t budget) TUTTI_EXCLUDES(mu_);

  // Lets go of the segments whose request has stopped.
  void DropStopped() TUTTI_EXCLUDES(mu_);

  // No Push succeeds from now on, what waits is let go, PopBatch returns nothing. Idempotent.
  void Close() TUTTI_EXCLUDES(mu_);

  int64_t rows() const TUTTI_EXCLUDES(mu_);
  int64_t bytes() const TUTTI_EXCLUDES(mu_);
  int64_t idle_workers() const TUTTI_EXCLUDES(mu_);  // waiting in PopBatch
  // Whether all workers but one are idle and are going to stay so for now: nothing waits for them.
  bool only_one_works() const TUTTI_EXCLUDES(mu_);

 private:
  using Segments = std::vector<std::unique_ptr<QueuedSegment>>;

  bool Fits(const QueuedSegment& segment) const TUTTI_REQUIRES(mu_);
  // Adds it to the sums, `times` 1 or -1.
  void Count(const QueuedSegment& segment, int64_t times) TUTTI_REQUIRES(mu_);
  // Waits for something to be pushed or the queue to close; false when `deadline`, if any, passes first.
  bool WaitForPush(std::optional<std::chrono::steady_clock::time_point> deadline) TUTTI_REQUIRES(mu_);
  // The segment to hand out next, null when there is none; moves stopped ones on the way to `dropped`.
  QueuedSegment* Front(Segments& dropped) TUTTI_REQUIRES(mu_);
  std::unique_ptr<QueuedSegment> TakeFront() TUTTI_REQUIRES(mu_);
  // What PopBatch says of `budget`; `next` is Front's. With `first`, that one is taken whatever its length.
  Segments TakeBatch(QueuedSegment* next, bool first, int64_t budget, Segments& dropped) TUTTI_REQUIRES(mu_);

  const SegmentQueueOptions options_;
  const std::function<void()> on_room_;

  mutable Mutex mu_;
  CondVar pushed_;
  std::array<std::deque<std::unique_ptr<QueuedSegment>>, 2> waiting_ TUTTI_GUARDED_BY(mu_);  // interactive, batch
  int64_t rows_ TUTTI_GUARDED_BY(mu_) = 0;                                                   // sums over waiting_
  int64_t bytes_ TUTTI_GUARDED_BY(mu_) = 0;
  int64_t cost_ TUTTI_GUARDED_BY(mu_) = 0;
  int64_t idle_workers_ TUTTI_GUARDED_BY(mu_) = 0;
  bool closed_ TUTTI_GUARDED_BY(mu_) = false;
};

}  // namespace tutti
