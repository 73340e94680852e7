#include "engine/worker.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/status.h"
#include "engine/cpu_clock.h"
#include "engine/no_throw.h"

namespace tutti {

void Worker::Run() {
  const auto on_idle = [this] {
    decoding_->Trim();
    workspace_.Release();
  };
  while (true) {
    auto batch = live_.empty() ? queue_.PopBatch(batch_rows_, on_idle) : queue_.TakeMore(batch_rows_ - live_cost());
    if (batch.empty() && live_.empty()) return;
    if (!batch.empty()) {
      ReachSyncPoint(sync_points_, "Worker:batch_popped");
      Take(std::move(batch));
    }
    DropStopped();
    if (!live_.empty()) Attempt([this] { Step(); });
  }
}

void Worker::Take(std::vector<std::unique_ptr<QueuedSegment>> batch) {
  const size_t before = live_.size();
  for (std::unique_ptr<QueuedSegment>& segment : batch) {
    counts_.rows += segment->rows;
    live_.push_back({next_id_++, std::move(segment)});
  }
  ++counts_.batches;
  Attempt([&] { Admit(std::span(live_).subspan(before)); });
}

void Worker::Admit(std::span<const Live> some) {
  utterances_.clear();
  for (const Live& one : some) {
    const QueuedSegment& segment = *one.segment;
    utterances_.push_back({one.id, segment.features.data(), segment.rows, &segment.request->options().search});
  }
  decoding_->Admit(utterances_, workspace_);
}

void Worker::Step() {
  finished_.clear();
  decoding_->Step(workspace_, finished_);
  if (finished_.empty()) return;
  ReachSyncPoint(sync_points_, "Worker:network_done");
  const auto find = [this](int64_t id) { return std::ranges::find(live_, id, &Live::id); };
  std::vector<absl::StatusOr<Segment>> segments;
  for (const auto& [id, hypothesis] : finished_) {
    segments.push_back(hypothesis.ok() ? absl::StatusOr<Segment>(ToSegment(*find(id)->segment, *hypothesis))
                                       : hypothesis.status());
  }
  // From here on nothing fails: a segment must not be reported twice.
  for (size_t i = 0; i < finished_.size(); ++i) {
    const auto one = find(finished_[i].id);
    Request& request = *one->segment->request;
    if (segments[i].ok()) {
      request.AddSegment(one->segment->number, *std::move(segments[i]), one->seconds);
    } else {
      request.Fail(segments[i].status());
    }
    live_.erase(one);
  }
}

void Worker::DropStopped() {
  std::erase_if(live_, [this](const Live& one) {
    if (!one.segment->request->stopped()) return false;
    decoding_->Remove(one.id);
    return true;
  });
}

void Worker::Attempt(const std::function<void()>& work) {
  double seconds = 0;
  const int64_t cost = live_cost();
  absl::Status done;
  {
    CpuTimer timer(seconds);
    done = NoThrow(live_.front().segment->request->name(), [&] {
      work();
      return absl::OkStatus();
    });
  }
  counts_.network_us += static_cast<int64_t>(seconds * 1e6);
  for (Live& one : live_) {
    one.seconds += seconds * static_cast<double>(one.segment->cost()) / static_cast<double>(std::max<int64_t>(cost, 1));
  }
  if (!done.ok()) RunOneByOne(done);
}

void Worker::RunOneByOne(const absl::Status& why) {
  decoding_->Clear();
  std::vector<Live> all = std::exchange(live_, {});
  if (all.size() == 1) return all.front().segment->request->Fail(why);
  // Whoever is to blame, the others shall not suffer.
  for (Live& one : all) {
    live_.push_back(std::move(one));
    Attempt([this] { Admit(live_); });
    while (!live_.empty()) {
      DropStopped();
      if (!live_.empty()) Attempt([this] { Step(); });
    }
  }
}

int64_t Worker::live_cost() const {
  int64_t cost = 0;
  for (const Live& one : live_) cost += one.segment->cost();
  return cost;
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
