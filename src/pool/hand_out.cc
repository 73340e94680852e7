#include "pool/hand_out.h"

#include <algorithm>

#include "base/seconds.h"

namespace tutti {
namespace {

constexpr int kLookAhead = 256;  // further back nobody overtakes for being longer

}  // namespace

void HandOut::Add(int64_t id, int64_t bytes, bool interactive) {
  recordings_[id] = {.bytes = bytes, .interactive = interactive};
  waiting_[interactive ? 0 : 1].insert(id);
  waiting_bytes_ += bytes;
}

bool HandOut::HasRoom(const std::set<int64_t>& mine, int64_t next_bytes) const {
  if (mine.size() < static_cast<size_t>(options_.least_recordings)) return true;
  if (mine.size() >= static_cast<size_t>(options_.most_recordings)) return false;
  int64_t bytes = next_bytes;
  for (const int64_t id : mine) bytes += recordings_.at(id).bytes;
  const double share = Seconds(waiting_bytes_) / (2.0 * options_.processes);
  return Seconds(bytes) <= std::min(options_.credit_seconds, share);
}

int64_t HandOut::Longest(const std::set<int64_t>& line) const {
  int64_t best = *line.begin();
  int seen = 0;
  for (auto it = line.begin(); it != line.end() && seen < kLookAhead; ++it, ++seen) {
    if (recordings_.at(*it).bytes > recordings_.at(best).bytes) best = *it;
  }
  return best;
}

std::optional<int64_t> HandOut::Next(int64_t worker) {
  std::set<int64_t>& mine = by_worker_[worker];
  if (std::ranges::any_of(mine, [this](int64_t id) { return recordings_.at(id).suspect; })) return std::nullopt;
  if (suspects_.empty()) {
    emptying_.reset();
  } else if (mine.empty()) {
    const int64_t id = suspects_.front();
    suspects_.pop_front();
    if (emptying_ == worker) emptying_.reset();
    mine.insert(id);
    return id;
  } else {
    if (!emptying_) emptying_ = worker;
    if (emptying_ == worker) return std::nullopt;
  }
  for (auto& line : waiting_) {
    if (line.empty()) continue;
    const int64_t id = Longest(line);
    const int64_t bytes = recordings_.at(id).bytes;
    if (!HasRoom(mine, bytes)) return std::nullopt;
    line.erase(id);
    waiting_bytes_ -= bytes;
    mine.insert(id);
    return id;
  }
  return std::nullopt;
}

void HandOut::TakeBack(int64_t worker, int64_t id) {
  if (by_worker_[worker].erase(id) == 0) return;
  const Recording& recording = recordings_.at(id);
  if (recording.suspect) return suspects_.push_front(id);
  waiting_[recording.interactive ? 0 : 1].insert(id);
  waiting_bytes_ += recording.bytes;
}

void HandOut::Finished(int64_t worker, int64_t id, int64_t audio_ms) {
  if (by_worker_[worker].erase(id) == 0) return;
  if (const int64_t bytes = recordings_.at(id).bytes; audio_ms > 0 && bytes > 0) {
    heard_seconds_ += SecondsOf(audio_ms);
    heard_bytes_ += bytes;
    seconds_per_byte_ = heard_seconds_ / static_cast<double>(heard_bytes_);
  }
  recordings_.erase(id);
}

bool HandOut::Drop(int64_t id) {
  const auto found = recordings_.find(id);
  if (found == recordings_.end()) return false;
  if (found->second.suspect) {
    if (std::erase(suspects_, id) == 0) return false;
  } else {
    if (waiting_[found->second.interactive ? 0 : 1].erase(id) == 0) return false;
    waiting_bytes_ -= found->second.bytes;
  }
  recordings_.erase(found);
  return true;
}

std::vector<HandOut::Verdict> HandOut::WorkerGone(int64_t worker) {
  std::vector<Verdict> verdicts;
  if (emptying_ == worker) emptying_.reset();
  const auto found = by_worker_.find(worker);
  if (found == by_worker_.end()) return verdicts;
  const std::set<int64_t> lost = std::move(found->second);
  by_worker_.erase(found);
  for (const int64_t id : lost) {
    Recording& recording = recordings_.at(id);
    if (lost.size() == 1) ++recording.deaths_alone;
    const Verdict verdict = {
        .id = id, .deaths_alone = recording.deaths_alone, .condemned = recording.deaths_alone > options_.retries};
    recording.suspect = true;
    if (verdict.condemned) {
      recordings_.erase(id);
    } else {
      suspects_.push_back(id);
    }
    verdicts.push_back(verdict);
  }
  return verdicts;
}

std::vector<int64_t> HandOut::Withdraw(int64_t worker) {
  if (emptying_ == worker) emptying_.reset();
  std::vector<int64_t> ids = Of(worker);
  for (const int64_t id : ids) TakeBack(worker, id);
  by_worker_.erase(worker);
  return ids;
}

std::vector<int64_t> HandOut::Of(int64_t worker) const {
  const auto found = by_worker_.find(worker);
  return found != by_worker_.end() ? std::vector<int64_t>(found->second.begin(), found->second.end())
                                   : std::vector<int64_t>();
}

}  // namespace tutti
