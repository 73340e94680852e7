#include "pool/hand_out.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace tutti {
namespace {

constexpr int64_t kSecond = 32000;  // bytes, until something else is learned

using Ids = std::vector<int64_t>;

// All that a worker may have now.
Ids Take(HandOut& hand_out, int64_t worker) {
  Ids ids;
  while (const auto id = hand_out.Next(worker)) ids.push_back(*id);
  return ids;
}

TEST(HandOut, TheLongestGoesFirstAndInteractiveBeforeAll) {
  HandOut hand_out({.processes = 1, .least_recordings = 4});
  hand_out.Add(0, 5 * kSecond, false);
  hand_out.Add(1, 9 * kSecond, false);
  hand_out.Add(2, 1 * kSecond, true);
  EXPECT_EQ(Take(hand_out, 0), (Ids{2, 1, 0}));
}

TEST(HandOut, AWorkerGetsNoMoreThanItsCredit) {
  HandOut hand_out({.processes = 1, .least_recordings = 2, .credit_seconds = 35});
  for (int64_t id = 0; id < 100; ++id) hand_out.Add(id, 10 * kSecond, false);
  EXPECT_EQ(Take(hand_out, 0).size(), 3U);
}

TEST(HandOut, ALongRecordingIsHandedOutWhateverTheCredit) {
  HandOut hand_out({.processes = 1, .least_recordings = 2, .credit_seconds = 1});
  for (int64_t id = 0; id < 3; ++id) hand_out.Add(id, 3600 * kSecond, false);
  EXPECT_EQ(Take(hand_out, 0).size(), 2U);
}

TEST(HandOut, CreditFollowsWhatRecordingsTurnOutToHold) {
  HandOut hand_out({.processes = 1, .least_recordings = 1, .credit_seconds = 100});
  for (int64_t id = 0; id < 100; ++id) hand_out.Add(id, kSecond, false);
  ASSERT_EQ(hand_out.Next(0), 0);
  hand_out.Finished(0, 0, 60'000);  // compressed: a minute in those bytes
  EXPECT_EQ(Take(hand_out, 0).size(), 1U);
}

TEST(HandOut, TowardsTheEndAWorkerGetsItsShareOnly) {
  HandOut hand_out({.processes = 2, .least_recordings = 2, .credit_seconds = 1000});
  for (int64_t id = 0; id < 16; ++id) hand_out.Add(id, 10 * kSecond, false);
  EXPECT_LE(Take(hand_out, 0).size(), 4U);
}

TEST(HandOut, OneThatWasAloneInADeadWorkerIsToBlameAndCondemnedAfterItsRetries) {
  HandOut hand_out({.retries = 1});
  hand_out.Add(0, kSecond, false);
  ASSERT_EQ(hand_out.Next(0), 0);
  auto verdicts = hand_out.WorkerGone(0);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_FALSE(verdicts[0].condemned);
  ASSERT_EQ(hand_out.Next(1), 0);
  verdicts = hand_out.WorkerGone(1);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_TRUE(verdicts[0].condemned);
  EXPECT_EQ(verdicts[0].deaths_alone, 2);
  EXPECT_FALSE(hand_out.has_waiting());
}

TEST(HandOut, NeighboursOfADeathAreSuspectsThatRunAlone) {
  HandOut hand_out({.processes = 1, .least_recordings = 3, .retries = 0});
  for (int64_t id = 0; id < 3; ++id) hand_out.Add(id, kSecond, false);
  ASSERT_EQ(Take(hand_out, 0).size(), 3U);
  for (const auto& verdict : hand_out.WorkerGone(0)) {
    EXPECT_FALSE(verdict.condemned);
    EXPECT_EQ(verdict.deaths_alone, 0);
  }
  for (int64_t id = 0; id < 3; ++id) {
    EXPECT_EQ(Take(hand_out, 1), (Ids{id}));
    hand_out.Finished(1, id, 1000);
  }
  EXPECT_FALSE(hand_out.has_waiting());
}

TEST(HandOut, OneBusyWorkerIsEmptiedForASuspectAndTheOthersGoOn) {
  HandOut hand_out({.processes = 3, .least_recordings = 2, .credit_seconds = 0});
  for (int64_t id = 0; id < 20; ++id) hand_out.Add(id, kSecond, false);
  const Ids first = Take(hand_out, 0), second = Take(hand_out, 1);
  Take(hand_out, 2);
  hand_out.WorkerGone(2);
  hand_out.Finished(0, first[0], 1000);
  EXPECT_EQ(hand_out.Next(0), std::nullopt);  // emptying
  hand_out.Finished(1, second[0], 1000);
  EXPECT_NE(hand_out.Next(1), std::nullopt);
  hand_out.Finished(0, first[1], 1000);
  const auto suspect = hand_out.Next(0);
  ASSERT_NE(suspect, std::nullopt);
  EXPECT_TRUE(*suspect == 4 || *suspect == 5) << *suspect;
}

TEST(HandOut, WhatCouldNotBeSentWaitsAgain) {
  HandOut hand_out({});
  hand_out.Add(0, kSecond, false);
  ASSERT_EQ(hand_out.Next(0), 0);
  hand_out.TakeBack(0, 0);
  EXPECT_EQ(hand_out.Next(1), 0);
}

TEST(HandOut, OnlyWhatWaitsCanBeDropped) {
  HandOut hand_out({});
  hand_out.Add(0, kSecond, false);
  hand_out.Add(1, kSecond, false);
  ASSERT_EQ(hand_out.Next(0), 0);
  EXPECT_FALSE(hand_out.Drop(0));
  EXPECT_TRUE(hand_out.Drop(1));
  EXPECT_FALSE(hand_out.Drop(1));
  EXPECT_FALSE(hand_out.has_waiting());
}

// Whatever happens in whatever order: each recording ends once, at one worker at a time; one that kills every worker it
// is in is condemned, and nobody else is.
TEST(HandOut, UnderAnyOrderOfEventsOnlyThePoisonedAreCondemned) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::minstd_rand random(seed + 1);
    const auto below = [&random](int64_t bound) {
      return static_cast<int64_t>(random() % static_cast<uint32_t>(bound));
    };
    const int64_t processes = 1 + below(4), count = 1 + below(40);
    HandOut hand_out({.processes = static_cast<int>(processes),
                      .least_recordings = static_cast<int>(1 + below(3)),
                      .credit_seconds = static_cast<double>(below(60)),
                      .retries = static_cast<int>(below(3))});
    std::set<int64_t> poisoned, open, condemned;
    for (int64_t id = 0; id < count; ++id) {
      hand_out.Add(id, below(20) * kSecond, below(4) == 0);
      open.insert(id);
      if (below(5) == 0) poisoned.insert(id);
    }
    std::map<int64_t, std::set<int64_t>> running;  // by worker
    std::vector<int64_t> workers(static_cast<size_t>(processes));
    int64_t next_worker = processes;
    for (int64_t i = 0; i < processes; ++i) workers[static_cast<size_t>(i)] = i;
    for (int step = 0; step < 20'000 && !open.empty(); ++step) {
      int64_t& worker = workers[static_cast<size_t>(below(processes))];
      std::set<int64_t>& mine = running[worker];
      if (below(2) == 0) {
        if (const auto id = hand_out.Next(worker)) {
          ASSERT_TRUE(open.contains(*id)) << seed;
          for (const auto& [other, ids] : running) ASSERT_FALSE(ids.contains(*id)) << seed;
          mine.insert(*id);
        }
      } else if (!mine.empty()) {
        const int64_t id = *mine.begin();
        if (std::ranges::any_of(mine, [&](int64_t one) { return poisoned.contains(one); })) {
          for (const auto& verdict : hand_out.WorkerGone(worker)) {
            if (verdict.condemned) condemned.insert(verdict.id), open.erase(verdict.id);
          }
          running.erase(worker);
          worker = next_worker++;
        } else {
          hand_out.Finished(worker, id, 1000);
          mine.erase(id);
          open.erase(id);
        }
      }
    }
    EXPECT_TRUE(open.empty()) << seed;
    EXPECT_EQ(condemned, poisoned) << seed;
  }
}

}  // namespace
}  // namespace tutti
