#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/sync_point.h"
#include "engine/parts.h"
#include "engine/segment_queue.h"
#include "nn/workspace.h"

namespace tutti {

// What all workers of a recogniser did. Thread-safe; each number by itself is exact.
struct WorkerCounts {
  std::atomic<int64_t> batches = 0;
  std::atomic<int64_t> rows = 0;        // LFR frames
  std::atomic<int64_t> network_us = 0;  // CPU time
};

// Runs the network over batches of segments, whosever they are, and hands each hypothesis back to its request.
//
// All it owns is scratch memory that no result depends on, and that it gives back when work is long in coming. One
// thread each.
class Worker {
 public:
  // `parts`, `queue`, `team` and `counts` outlive it. A batch takes up to `batch_rows` LFR frames. The team, null for
  // none, is this worker's alone.
  Worker(const RecognizerParts& parts, SegmentQueue& queue, int64_t batch_rows, Team* team, WorkerCounts& counts,
         SyncPoints* sync_points)
      : parts_(parts), queue_(queue), batch_rows_(batch_rows), counts_(counts), sync_points_(sync_points) {
    workspace_.set_team(team);
  }

  // Until the queue is closed.
  void Run();

 private:
  using Batch = std::span<const std::unique_ptr<QueuedSegment>>;

  void Recognise(Batch batch);
  void TryRecognise(Batch batch);
  Segment ToSegment(const QueuedSegment& queued, const Hypothesis& hypothesis) const;

  const RecognizerParts& parts_;
  SegmentQueue& queue_;
  const int64_t batch_rows_;
  WorkerCounts& counts_;
  SyncPoints* const sync_points_;

  Workspace workspace_;
  std::vector<int64_t> offsets_;
  std::vector<const float*> starts_;
  std::vector<Hypothesis> hypotheses_;
};

}  // namespace tutti
