#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/sync_point.h"
#include "engine/lent_team.h"
#include "engine/parts.h"
#include "engine/segment_queue.h"
#include "models/decoding.h"
#include "nn/workspace.h"

namespace tutti {

// What all workers of a recogniser did. Thread-safe; each number by itself is exact.
struct WorkerCounts {
  std::atomic<int64_t> batches = 0;
  std::atomic<int64_t> rows = 0;        // of features
  std::atomic<int64_t> network_us = 0;  // CPU time
};

// Runs the network over segments, whosever they are, and hands each hypothesis back to its request. What the model
// finds token by token lets segments join and leave between two tokens.
//
// All it owns is scratch memory that no result depends on, and that it gives back when work is long in coming. One
// thread each.
class Worker {
 public:
  // `parts`, `queue`, `team` and `counts` outlive it. It works on up to `batch_rows` rows of features at a time. The
  // team, null for none, is all workers': it helps the one that works while the others wait. `on_heard` is called
  // without locks when a segment is done whose text the next one of its recording waits for.
  Worker(const RecognizerParts& parts, SegmentQueue& queue, int64_t batch_rows, LentTeam* team, WorkerCounts& counts,
         std::function<void()> on_heard, SyncPoints* sync_points)
      : parts_(parts),
        queue_(queue),
        batch_rows_(batch_rows),
        team_(team),
        counts_(counts),
        on_heard_(std::move(on_heard)),
        sync_points_(sync_points),
        decoding_(parts.asr->NewDecoding()) {}

  // Until the queue is closed.
  void Run();

 private:
  // A segment that the decoding has.
  struct Live {
    int64_t id;
    std::unique_ptr<QueuedSegment> segment;
    double seconds = 0;  // its share of the time so far
  };

  void Take(std::vector<std::unique_ptr<QueuedSegment>> batch);
  void Admit(std::span<const Live> some);
  void Step();
  void DropStopped();
  // work() takes CPU time, of which each live segment has its share. What it throws costs no segment but the one that
  // is to blame.
  void Attempt(const std::function<void()>& work);
  void RunOneByOne(const absl::Status& why);
  int64_t live_cost() const;
  // One, unless the model divides it.
  std::vector<Segment> ToSegments(const QueuedSegment& queued, const Hypothesis& hypothesis) const;

  const RecognizerParts& parts_;
  SegmentQueue& queue_;
  const int64_t batch_rows_;
  LentTeam* const team_;
  WorkerCounts& counts_;
  const std::function<void()> on_heard_;
  SyncPoints* const sync_points_;

  const std::unique_ptr<Decoding> decoding_;
  Workspace workspace_;
  std::vector<Live> live_;  // in the order of their ids
  int64_t next_id_ = 0;
  std::vector<Decoding::Utterance> utterances_;
  std::vector<Decoding::Finished> finished_;
};

}  // namespace tutti
