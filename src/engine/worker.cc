#include "engine/worker.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/status.h"
#include "engine/cpu_clock.h"
#include "engine/no_throw.h"

namespace tutti {

void Worker::Run() {
  const auto pop = [this] { return queue_.PopBatch(batch_rows_, [this] { workspace_.Release(); }); };
  for (auto batch = pop(); !batch.empty(); batch = pop()) {
    ReachSyncPoint(sync_points_, "Worker:batch_popped");
    Recognise(batch);
  }
}

void Worker::Recognise(Batch batch) {
  const absl::Status done = NoThrow(batch.front()->request->name(), [&] {
    TryRecognise(batch);
    return absl::OkStatus();
  });
  if (done.ok()) return;
  if (batch.size() == 1) return batch.front()->request->Fail(done);
  // Whoever is to blame, the others in the batch shall not suffer.
  for (size_t i = 0; i < batch.size(); ++i) Recognise(batch.subspan(i, 1));
}

void Worker::TryRecognise(Batch batch) {
  const int64_t width = parts_.asr->frontend()->width();
  offsets_.assign(1, 0);
  starts_.clear();
  for (const auto& segment : batch) {
    offsets_.push_back(offsets_.back() + segment->rows);
    starts_.push_back(segment->features.data());
  }
  hypotheses_.assign(batch.size(), {});

  double seconds = 0;
  {
    CpuTimer timer(seconds);
    parts_.asr->Recognise({starts_, width, offsets_}, workspace_, hypotheses_);
  }
  ReachSyncPoint(sync_points_, "Worker:network_done");
  ++counts_.batches;
  counts_.rows += offsets_.back();
  counts_.network_us += static_cast<int64_t>(seconds * 1e6);

  std::vector<Segment> segments;
  for (size_t i = 0; i < batch.size(); ++i) segments.push_back(ToSegment(*batch[i], hypotheses_[i]));
  // From here on nothing fails: a segment must not be reported twice.
  for (size_t i = 0; i < batch.size(); ++i) {
    const double share = static_cast<double>(batch[i]->rows) / static_cast<double>(offsets_.back());
    batch[i]->request->AddSegment(batch[i]->number, std::move(segments[i]), seconds * share);
  }
}

Segment Worker::ToSegment(const QueuedSegment& queued, const Hypothesis& hypothesis) const {
  const auto in_recording = [&queued](int64_t ms) {
    return ms < 0 ? std::nullopt : std::optional(queued.start_ms + ms);
  };
  SegmentText text = parts_.asr->Text(hypothesis);
  Segment segment{queued.start_ms, queued.end_ms, queued.channel, std::move(text.text), {}};
  for (TextUnit& unit : text.units) {
    segment.tokens.push_back(
        {std::move(unit.text), in_recording(unit.start_ms), in_recording(unit.end_ms), unit.score});
  }
  return segment;
}

}  // namespace tutti
