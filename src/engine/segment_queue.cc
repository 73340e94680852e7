#include "engine/segment_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/status.h"

namespace tutti {

bool SegmentQueue::HasRoomFor(const QueuedSegment& segment) const {
  MutexLock lock(mu_);
  return Fits(segment);
}

bool SegmentQueue::Fits(const QueuedSegment& segment) const {
  if (rows_ == 0 && bytes_ == 0) return true;
  const auto share = [&segment](int64_t bound) { return segment.interactive() ? bound : bound - bound / 8; };
  return rows_ + segment.rows <= share(options_.max_rows) && bytes_ + segment.bytes() <= share(options_.max_bytes);
}

void SegmentQueue::Count(const QueuedSegment& segment, int64_t times) {
  rows_ += times * segment.rows;
  bytes_ += times * segment.bytes();
  cost_ += times * segment.cost;
}

absl::Status SegmentQueue::Push(std::unique_ptr<QueuedSegment>& segment) {
  if (segment->request->stopped()) return absl::CancelledError("segment queue: the request has stopped");
  MutexLock lock(mu_);
  if (closed_) return FailedPrecondition("segment queue: closed");
  if (!Fits(*segment)) {
    return ResourceExhausted("segment queue: {} rows and {} bytes waiting, {} and {} allowed", rows_, bytes_,
                             options_.max_rows, options_.max_bytes);
  }
  auto& line = waiting_[segment->interactive() ? 0 : 1];
  Count(*segment, 1);
  line.push_back(std::move(segment));
  pushed_.NotifyOne();
  return absl::OkStatus();
}

bool SegmentQueue::WaitForPush(std::optional<std::chrono::steady_clock::time_point> deadline) {
  bool in_time = true;
  ++idle_workers_;
  if (deadline) {
    in_time = pushed_.WaitUntil(mu_, *deadline);
  } else {
    pushed_.Wait(mu_);
  }
  --idle_workers_;
  return in_time;
}

std::vector<std::unique_ptr<QueuedSegment>> SegmentQueue::PopBatch(int64_t budget,
                                                                   const std::function<void()>& on_idle) {
  std::optional<std::chrono::steady_clock::time_point> patient_until;
  if (on_idle) patient_until = std::chrono::steady_clock::now() + options_.patience;
  while (true) {
    Segments batch, dropped;
    bool closed = false, in_time = true;
    {
      MutexLock lock(mu_);
      QueuedSegment* next = Front(dropped);
      while (next == nullptr && dropped.empty() && !closed_ && in_time) {
        in_time = WaitForPush(patient_until);
        next = Front(dropped);
      }
      batch = TakeBatch(next, true, budget, dropped);
      closed = closed_;
    }
    if (on_room_ && !(batch.empty() && dropped.empty())) on_room_();
    if (closed || !batch.empty()) return batch;
    if (!in_time) {
      on_idle();
      patient_until.reset();
    }
  }
}

std::vector<std::unique_ptr<QueuedSegment>> SegmentQueue::TakeMore(int64_t budget) {
  Segments batch, dropped;
  {
    MutexLock lock(mu_);
    batch = TakeBatch(Front(dropped), false, budget, dropped);
  }
  if (on_room_ && !(batch.empty() && dropped.empty())) on_room_();
  return batch;
}

SegmentQueue::Segments SegmentQueue::TakeBatch(QueuedSegment* next, bool first, int64_t budget, Segments& dropped) {
  Segments batch;
  int64_t left = std::min(budget, cost_ / (idle_workers_ + 1));
  if (idle_workers_ == 0) left = std::min(left, std::max(budget / 8, cost_ / options_.workers));
  if (next != nullptr && next->interactive() && next->cost <= budget / 8) {
    left = std::min(left, next->cost + budget / 8);
  }
  for (; next != nullptr && ((first && batch.empty()) || next->cost <= left); next = Front(dropped)) {
    left -= next->cost;
    batch.push_back(TakeFront());
  }
  return batch;
}

QueuedSegment* SegmentQueue::Front(Segments& dropped) {
  for (auto& line : waiting_) {
    while (!line.empty()) {
      if (!line.front()->request->stopped()) return line.front().get();
      dropped.push_back(TakeFront());
    }
  }
  return nullptr;
}

std::unique_ptr<QueuedSegment> SegmentQueue::TakeFront() {
  auto& line = waiting_[waiting_[0].empty() ? 1 : 0];
  std::unique_ptr<QueuedSegment> segment = std::move(line.front());
  line.pop_front();
  Count(*segment, -1);
  return segment;
}

void SegmentQueue::DropStopped() {
  Segments dropped;
  {
    MutexLock lock(mu_);
    for (auto& line : waiting_) {
      const auto kept =
          std::stable_partition(line.begin(), line.end(), [](const auto& s) { return !s->request->stopped(); });
      for (auto it = kept; it != line.end(); ++it) Count(**it, -1);
      std::move(kept, line.end(), std::back_inserter(dropped));
      line.erase(kept, line.end());
    }
  }
  if (on_room_ && !dropped.empty()) on_room_();
}

void SegmentQueue::Close() {
  std::array<std::deque<std::unique_ptr<QueuedSegment>>, 2> dropped;
  MutexLock lock(mu_);
  closed_ = true;
  waiting_.swap(dropped);
  rows_ = bytes_ = cost_ = 0;
  pushed_.NotifyAll();
}

int64_t SegmentQueue::rows() const {
  MutexLock lock(mu_);
  return rows_;
}

int64_t SegmentQueue::idle_workers() const {
  MutexLock lock(mu_);
  return idle_workers_;
}

bool SegmentQueue::only_one_works() const {
  MutexLock lock(mu_);
  return options_.workers == 1 || (idle_workers_ + 1 >= options_.workers && cost_ == 0);
}

int64_t SegmentQueue::bytes() const {
  MutexLock lock(mu_);
  return bytes_;
}

}  // namespace tutti
