// Every order of events that a small pool can see, by trying them all.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <set>
#include <vector>

#include "pool/hand_out.h"

namespace tutti {
namespace {

struct SmallPool {
  int processes = 2;
  int recordings = 3;
  unsigned poisoned = 0;  // bit i: recording i ends its worker, whoever is beside it
  int retries = 1;
  size_t disturbances = 3;  // of the last three kinds of event, each once at most
};

// A pool whose workers finish and die as they are told. Checks what may never be.
class HandOutModel {
 public:
  enum Event { kHandOut, kFirstEnds, kLastEnds, kDies, kWithdrawn, kTakenBack, kDropped, kEvents };

  explicit HandOutModel(const SmallPool& pool)
      : poisoned_(pool.poisoned),
        disturbances_(pool.disturbances),
        hand_out_({.processes = pool.processes, .least_recordings = 2, .credit_seconds = 0, .retries = pool.retries}) {
    for (int i = 0; i < pool.processes; ++i) workers_.push_back({.number = next_number_++, .ids = {}});
    for (int64_t id = 0; id < pool.recordings; ++id) {
      hand_out_.Add(id, id + 1, id == 0);
      open_.insert(id);
    }
  }

  // False when that cannot happen now.
  bool Step(size_t slot, Event event) {
    Worker& worker = workers_[slot];
    const bool ill = std::ranges::any_of(worker.ids, [this](int64_t id) { return IsPoisoned(id); });
    switch (event) {
      case kHandOut:
        return HandOutTo(worker);
      case kFirstEnds:
        return !worker.ids.empty() && !ill && End(worker, worker.ids.begin());
      case kLastEnds:
        return worker.ids.size() > 1 && !ill && End(worker, worker.ids.end() - 1);
      case kDies:
        return ill && Die(worker);
      case kWithdrawn:
        if (worker.ids.empty() || !First(event)) return false;
        EXPECT_EQ(hand_out_.Withdraw(worker.number).size(), worker.ids.size());
        worker = {.number = next_number_++, .ids = {}};
        return true;
      case kTakenBack:
        if (worker.ids.empty() || !First(event)) return false;
        hand_out_.TakeBack(worker.number, worker.ids.back());
        worker.ids.pop_back();
        return true;
      default:
        return slot == 0 && First(event) && DropOne();
    }
  }

  bool done() const { return open_.empty(); }

 private:
  struct Worker {
    int64_t number = 0;
    std::vector<int64_t> ids;  // in the order of hand-out
  };

  bool IsPoisoned(int64_t id) const { return ((poisoned_ >> id) & 1U) != 0; }
  bool First(Event event) { return happened_.size() < disturbances_ && happened_.insert(event).second; }

  bool HandOutTo(Worker& worker) {
    const std::optional<int64_t> id = hand_out_.Next(worker.number);
    if (!id) return false;
    EXPECT_TRUE(open_.contains(*id)) << *id << " has ended and is handed out";
    for (const Worker& other : workers_) EXPECT_EQ(std::ranges::count(other.ids, *id), 0) << *id << " runs already";
    worker.ids.push_back(*id);
    return true;
  }

  bool End(Worker& worker, std::vector<int64_t>::iterator at) {
    hand_out_.Finished(worker.number, *at, 1000);
    open_.erase(*at);
    worker.ids.erase(at);
    return true;
  }

  bool Die(Worker& worker) {
    for (const auto& verdict : hand_out_.WorkerGone(worker.number)) {
      if (!verdict.condemned) continue;
      EXPECT_TRUE(IsPoisoned(verdict.id)) << verdict.id << " is condemned for another's fault";
      open_.erase(verdict.id);
    }
    worker = {.number = next_number_++, .ids = {}};
    return true;
  }

  bool DropOne() {
    const auto waiting = std::ranges::find_if(open_, [this](int64_t id) { return hand_out_.Drop(id); });
    if (waiting == open_.end()) return false;
    open_.erase(waiting);
    return true;
  }

  unsigned poisoned_;
  size_t disturbances_;
  HandOut hand_out_;
  std::vector<Worker> workers_;
  std::set<int64_t> open_;  // not ended, given up or dropped
  std::set<Event> happened_;
  int64_t next_number_ = 0;
};

// Returns the number of different ways to the end. A recording left over would be a way that stops short.
int64_t Explore(const HandOutModel& model, const SmallPool& pool, int depth = 0) {
  constexpr int kDeepest = 40;
  if (model.done()) return 1;
  if (depth == kDeepest) {
    ADD_FAILURE() << "it goes on for ever";
    return 0;
  }
  int64_t ways = 0;
  bool stuck = true;
  for (size_t slot = 0; slot < static_cast<size_t>(pool.processes); ++slot) {
    for (int event = 0; event < HandOutModel::kEvents && !::testing::Test::HasFailure(); ++event) {
      HandOutModel next = model;
      if (!next.Step(slot, static_cast<HandOutModel::Event>(event))) continue;
      stuck = stuck && event > HandOutModel::kDies;
      ways += Explore(next, pool, depth + 1);
    }
  }
  EXPECT_FALSE(stuck) << "something is open, and no worker gets or has it";
  return ways;
}

TEST(HandOutExploration, InEveryOrderOfEventsEachRecordingEndsOnceAndOnlyThePoisonedAreCondemned) {
  int64_t ways = 0;
  for (int recordings = 1; recordings <= 3; ++recordings) {
    for (unsigned poisoned = 0; poisoned < 1U << recordings; ++poisoned) {
      const bool few = recordings < 3;  // of three the ways would be millions
      if (!few && std::popcount(poisoned) > 1) continue;
      const SmallPool pool = {.recordings = recordings,
                              .poisoned = poisoned,
                              .retries = few ? 1 : 0,
                              .disturbances = few             ? 2U
                                              : poisoned == 0 ? 1U
                                                              : 0U};
      ways += Explore(HandOutModel(pool), pool);
    }
  }
  RecordProperty("ways", std::to_string(ways));
  EXPECT_GT(ways, 10'000);
}

}  // namespace
}  // namespace tutti
