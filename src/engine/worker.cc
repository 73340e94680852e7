#include "engine/worker.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "base/status.h"
#include "engine/cpu_clock.h"
#include "engine/no_throw.h"
#include "engine/speech_map.h"

namespace tutti {

void Worker::Run() {
  const auto on_idle = [this] {
    decoding_->Trim();
    workspace_.Release();
    if (team_ != nullptr) team_->Trim();
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
    utterances_.push_back({one.id, segment.features.data(), segment.rows, &segment.request->options().search,
                           segment.previous, segment.language.code});
  }
  decoding_->Admit(utterances_, workspace_);
}

void Worker::Step() {
  finished_.clear();
  decoding_->Step(workspace_, finished_);
  if (finished_.empty()) return;
  ReachSyncPoint(sync_points_, "Worker:network_done");
  const auto find = [this](int64_t id) { return std::ranges::find(live_, id, &Live::id); };
  std::vector<absl::StatusOr<std::vector<Segment>>> segments;
  for (const auto& [id, hypothesis] : finished_) {
    if (hypothesis.ok()) {
      segments.emplace_back(ToSegments(*find(id)->segment, *hypothesis));
    } else {
      segments.emplace_back(hypothesis.status());
    }
  }
  // From here on nothing fails: a segment must not be reported twice.
  for (size_t i = 0; i < finished_.size(); ++i) {
    const auto one = find(finished_[i].id);
    Request& request = *one->segment->request;
    const bool is_waited_for = request.may_wait_for_segments();
    if (segments[i].ok()) {
      if (is_waited_for) request.Heard(one->segment->channel, *finished_[i].hypothesis);
      request.AddSegment(one->segment->number, *std::move(segments[i]), one->seconds);
    } else {
      request.Fail(segments[i].status());
    }
    live_.erase(one);
    if (is_waited_for) on_heard_();
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
  const bool helped = team_ != nullptr && queue_.only_one_works() && team_->Lend(workspace_);
  {
    CpuTimer timer(seconds);
    done = NoThrow(live_.front().segment->request->name(), [&] {
      work();
      return absl::OkStatus();
    });
  }
  if (helped) team_->TakeBack(workspace_);
  counts_.network_us += static_cast<int64_t>(seconds * 1e6);
  for (Live& one : live_) {
    one.seconds += seconds * static_cast<double>(one.segment->cost) / static_cast<double>(std::max<int64_t>(cost, 1));
  }
  if (!done.ok()) RunOneByOne(done);
}

void Worker::RunOneByOne(const absl::Status& why) {
  decoding_->Clear();
  std::vector<Live> all = std::exchange(live_, {});
  if (all.size() == 1) {
    all.front().segment->request->Fail(why);
    return on_heard_();  // nothing will be
  }
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
  for (const Live& one : live_) cost += one.segment->cost;
  return cost;
}

std::vector<Segment> Worker::ToSegments(const QueuedSegment& queued, const Hypothesis& hypothesis) const {
  const SpeechMap map(queued.pieces);
  std::vector<Segment> segments;
  std::span ids(hypothesis.ids);  // of what follows
  for (SegmentText& text : parts_.asr->Texts(hypothesis)) {
    const size_t own = hypothesis.parts.empty() ? ids.size() : hypothesis.parts[segments.size()].ids;
    Segment& segment = segments.emplace_back();
    segment.token_ids.assign(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(own));
    ids = ids.subspan(own);
    segment.start_ms = map.Start(std::max<int64_t>(text.start_ms, 0));
    segment.end_ms = map.End(text.end_ms < 0 ? map.duration_ms() : text.end_ms);
    segment.channel = queued.channel;
    segment.text = std::move(text.text);
    for (TextUnit& unit : text.units) {
      Token& token = segment.tokens.emplace_back();
      if (unit.start_ms >= 0 && unit.end_ms >= 0) {
        const VadSegment span = map.Word(unit.start_ms, unit.end_ms);
        token.start_ms = span.start_ms;
        token.end_ms = span.end_ms;
      }
      token.text = std::move(unit.text);
      token.score = unit.score;
    }
    // A part whose words have times begins and ends with them.
    if (text.start_ms >= 0 && !segment.tokens.empty()) {
      segment.start_ms = segment.tokens.front().start_ms.value_or(segment.start_ms);
      segment.end_ms = segment.tokens.back().end_ms.value_or(segment.end_ms);
    }
    segment.avg_logprob = hypothesis.avg_logprob;
    segment.no_speech_prob = hypothesis.no_speech_prob;
    segment.compression_ratio = hypothesis.compression_ratio;
    segment.temperature = hypothesis.temperature;
    segment.language = hypothesis.language;
    segment.language_probability =
        queued.language.code.empty() ? hypothesis.language_probability : queued.language.probability;
  }
  return segments;
}

}  // namespace tutti
