#include "service/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <vector>

namespace tutti {
namespace {

using ::testing::ElementsAre;

FairQueue::Item Item(int64_t id, std::string tenant, double seconds, Priority priority = Priority::kBatch) {
  return {.id = id, .tenant = std::move(tenant), .priority = priority, .seconds = seconds};
}

std::vector<int64_t> PopAll(FairQueue& queue) {
  std::vector<int64_t> ids;
  while (const auto item = queue.Pop()) ids.push_back(item->id);
  return ids;
}

TEST(FairQueueTest, TenantsTakeTurnsOfAQuantum) {
  FairQueue queue(60);
  for (int64_t id : {1, 2, 3, 4}) queue.Push(Item(id, "a", 30));
  for (int64_t id : {11, 12}) queue.Push(Item(id, "b", 60));
  EXPECT_THAT(PopAll(queue), ElementsAre(1, 2, 11, 3, 4, 12));
}

TEST(FairQueueTest, AThousandHoursOfOneTenantDelayAMinuteOfAnotherByOneTurn) {
  FairQueue queue(60);
  for (int64_t id = 0; id < 1000; ++id) queue.Push(Item(id, "archive", 3600));
  queue.Push(Item(1000, "caller", 60));
  EXPECT_EQ(queue.Pop()->id, 1000);
  ASSERT_EQ(queue.Pop()->id, 0);
  queue.Push(Item(1001, "caller", 60));
  EXPECT_EQ(queue.Pop()->id, 1001);
}

TEST(FairQueueTest, InteractiveGoesBeforeBatchWhoeverAsks) {
  FairQueue queue(60);
  queue.Push(Item(1, "a", 10));
  queue.Push(Item(2, "b", 1000, Priority::kInteractive));
  queue.Push(Item(3, "a", 10, Priority::kInteractive));
  EXPECT_THAT(PopAll(queue), ElementsAre(3, 2, 1));
}

TEST(FairQueueTest, ACallerMayAskForInteractiveOnly) {
  FairQueue queue(60);
  queue.Push(Item(1, "a", 10));
  EXPECT_FALSE(queue.Pop(Priority::kInteractive).has_value());
  queue.Push(Item(2, "a", 10, Priority::kInteractive));
  EXPECT_EQ(queue.Pop(Priority::kInteractive)->id, 2);
}

TEST(FairQueueTest, AReturnedItemIsTheNextAgainAndIsNotPaidForTwice) {
  FairQueue queue(60);
  for (int64_t id : {1, 2, 3}) queue.Push(Item(id, "a", 60));
  for (int64_t id : {11, 12, 13}) queue.Push(Item(id, "b", 60));
  ASSERT_EQ(queue.Pop()->id, 1);
  auto refused = queue.Pop();
  ASSERT_EQ(refused->id, 11);
  for (int i = 0; i < 100; ++i) {
    queue.Return(*std::move(refused));
    EXPECT_EQ(queue.size(), 5u);
    EXPECT_DOUBLE_EQ(queue.seconds(), 300);
    refused = queue.Pop();
    ASSERT_EQ(refused->id, 11);
  }
  EXPECT_THAT(PopAll(queue), ElementsAre(2, 12, 3, 13));
}

TEST(FairQueueTest, TheOnlyItemMayBeReturned) {
  FairQueue queue(60);
  queue.Push(Item(1, "a", 500));
  queue.Return(*queue.Pop());
  EXPECT_EQ(queue.size(), 1u);
  EXPECT_THAT(PopAll(queue), ElementsAre(1));
}

TEST(FairQueueTest, RemovedItemsAreNotHandedOut) {
  FairQueue queue(60);
  queue.Push(Item(1, "a", 10));
  queue.Push(Item(2, "a", 20));
  queue.Push(Item(3, "b", 30));
  EXPECT_TRUE(queue.Remove(1));
  EXPECT_FALSE(queue.Remove(1));
  EXPECT_TRUE(queue.Remove(3));
  EXPECT_FALSE(queue.Remove(4));
  EXPECT_DOUBLE_EQ(queue.seconds(), 20);
  EXPECT_THAT(PopAll(queue), ElementsAre(2));
}

TEST(FairQueueTest, ATenantWhoseRecordingsAreLongerThanItSaidWaitsForTheOthers) {
  FairQueue queue(60);
  for (int64_t id : {1, 2}) queue.Push(Item(id, "a", 1));
  for (int64_t id : {11, 12, 13, 14}) queue.Push(Item(id, "b", 60));
  ASSERT_EQ(queue.Pop()->id, 1);
  queue.Charge("a", Priority::kBatch, 179);
  EXPECT_THAT(PopAll(queue), ElementsAre(11, 12, 13, 2, 14));
}

TEST(FairQueueTest, ATenantWhoseRecordingsAreShorterThanItSaidGetsTheRestBack) {
  FairQueue queue(60);
  for (int64_t id : {1, 2, 3}) queue.Push(Item(id, "a", 60));
  for (int64_t id : {11, 12}) queue.Push(Item(id, "b", 60));
  ASSERT_EQ(queue.Pop()->id, 1);
  queue.Charge("a", Priority::kBatch, -59);
  queue.Charge("a", Priority::kBatch, -1);
  EXPECT_THAT(PopAll(queue), ElementsAre(2, 11, 3, 12));
}

TEST(FairQueueTest, ADebtOutlastsAnAbsenceWhileOthersWait) {
  FairQueue queue(60);
  queue.Push(Item(1, "a", 1));
  for (int64_t id : {11, 12, 13, 14, 15}) queue.Push(Item(id, "b", 60));
  ASSERT_EQ(queue.Pop()->id, 1);
  queue.Charge("a", Priority::kBatch, 179);
  ASSERT_EQ(queue.Pop()->id, 11);
  queue.Push(Item(2, "a", 1));
  EXPECT_THAT(PopAll(queue), ElementsAre(12, 13, 2, 14, 15)) << "three quanta";
}

TEST(FairQueueTest, ADebtIsNotLostWithWhatIsRemoved) {
  FairQueue queue(60);
  for (int64_t id : {1, 2}) queue.Push(Item(id, "a", 1));
  for (int64_t id : {11, 12, 13, 14}) queue.Push(Item(id, "b", 60));
  ASSERT_EQ(queue.Pop()->id, 1);
  queue.Charge("a", Priority::kBatch, 179);
  ASSERT_TRUE(queue.Remove(2));
  queue.Push(Item(3, "a", 1));
  EXPECT_THAT(PopAll(queue), ElementsAre(11, 12, 13, 3, 14));
}

TEST(FairQueueTest, AQuantumMayBeTinyBesideTheRecordings) {
  FairQueue queue(1e-3);
  queue.Push(Item(1, "a", 1e8));
  queue.Push(Item(2, "b", 1e9));
  queue.Push(Item(3, "a", 1e8));
  EXPECT_THAT(PopAll(queue), ElementsAre(1, 3, 2)) << "and not after a million million turns";
}

TEST(FairQueueTest, ADebtIsPaidOffInAbsenceAQuantumARound) {
  FairQueue queue(60);
  queue.Push(Item(1, "a", 1));
  for (int64_t id = 11; id < 20; ++id) queue.Push(Item(id, "b", 60));
  ASSERT_EQ(queue.Pop()->id, 1);
  queue.Charge("a", Priority::kBatch, 240);
  for (int64_t id = 11; id < 18; ++id) ASSERT_EQ(queue.Pop()->id, id);
  queue.Push(Item(2, "a", 1));
  ASSERT_EQ(queue.Pop()->id, 2);
}

TEST(FairQueueTest, NobodyIsOwedAnythingByAnEmptyQueue) {
  FairQueue queue(60);
  queue.Push(Item(1, "a", 1));
  ASSERT_EQ(queue.Pop()->id, 1);
  queue.Charge("a", Priority::kBatch, 10'000);
  queue.Push(Item(2, "a", 60));
  queue.Push(Item(11, "b", 60));
  EXPECT_EQ(queue.Pop()->id, 2);
}

TEST(FairQueueTest, WhatWasSavedIsNotKeptOverAnAbsence) {
  FairQueue queue(60);
  queue.Push(Item(1, "a", 1));
  queue.Push(Item(11, "b", 60));
  queue.Push(Item(12, "b", 60));
  ASSERT_EQ(queue.Pop()->id, 1);
  queue.Charge("a", Priority::kBatch, -10'000);
  ASSERT_EQ(queue.Pop()->id, 11);
  for (int64_t id : {2, 3}) queue.Push(Item(id, "a", 60));
  EXPECT_THAT(PopAll(queue), ElementsAre(2, 12, 3));
}

class FairQueuePropertyTest : public ::testing::TestWithParam<unsigned> {
 protected:
  double Uniform(double from, double to) { return std::uniform_real_distribution<double>(from, to)(random_); }
  int64_t Below(int64_t bound) { return std::uniform_int_distribution<int64_t>(0, bound - 1)(random_); }

  std::mt19937 random_{GetParam()};
};

// Shreedhar and Varghese's theorem: over any interval in which two tenants have work waiting, their shares differ by
// less than a quantum and two largest recordings, one for what each may have saved up before and after it; from a fresh
// start, when neither has saved anything, by less than a quantum and one.
TEST_P(FairQueuePropertyTest, NoTenantGetsAheadByMoreThanAQuantumAndItsLargestRecordings) {
  const double quantum = Uniform(5, 100), largest = Uniform(1, 400);
  const size_t tenants = static_cast<size_t>(2 + Below(5));
  FairQueue queue(quantum);
  std::vector<double> scale(tenants), served(tenants);
  int64_t next_id = 0;
  const auto push = [&](size_t tenant) {
    queue.Push(Item(next_id++, std::to_string(tenant), Uniform(0.1, 1) * scale[tenant]));
  };
  for (size_t i = 0; i < tenants; ++i) {
    scale[i] = Uniform(0.2, largest);
    for (int k = 0; k < 3; ++k) push(i);
  }
  // Of each pair the smallest lead so far: the interval that begins there shows the most.
  std::vector<std::vector<double>> smallest(tenants, std::vector<double>(tenants));
  for (int pop = 0; pop < 3000; ++pop) {
    const auto item = queue.Pop();
    const auto tenant = static_cast<size_t>(std::stoi(item->tenant));
    served[tenant] += item->seconds;
    push(tenant);
    for (size_t i = 0; i < tenants; ++i) {
      for (size_t j = 0; j < tenants; ++j) {
        const double lead = served[i] - served[j], max = std::max(scale[i], scale[j]);
        ASSERT_LE(lead, quantum + max) << "from the start";
        ASSERT_LE(lead - smallest[i][j], quantum + scale[i] + scale[j]) << "over an interval";
        smallest[i][j] = std::min(smallest[i][j], lead);
      }
    }
  }
}

TEST_P(FairQueuePropertyTest, SharesAreEqualInWhatWasChargedWhateverWasEstimated) {
  constexpr double kLargest = 600;
  FairQueue queue(60);
  std::map<std::string, double> used;
  std::map<std::string, double> estimate = {{"tells the truth", 0}, {"says a second", 1}, {"says an hour", 3600}};
  const auto push = [&](const std::string& tenant, double seconds) {
    queue.Push(Item(0, tenant, estimate[tenant] > 0 ? estimate[tenant] : seconds));
  };
  std::map<std::string, std::deque<double>> lengths;
  const auto add = [&](const std::string& tenant) {
    lengths[tenant].push_back(Uniform(1, kLargest));
    push(tenant, lengths[tenant].back());
  };
  for (const auto& [tenant, seconds] : estimate) {
    for (int i = 0; i < 2; ++i) add(tenant);
  }
  for (int pop = 0; pop < 2000; ++pop) {
    const auto item = queue.Pop();
    const double seconds = lengths[item->tenant].front();
    lengths[item->tenant].pop_front();
    used[item->tenant] += seconds;
    queue.Charge(item->tenant, item->priority, seconds - item->seconds);
    add(item->tenant);
    for (const auto& [tenant, of_this] : used) {
      ASSERT_LE(of_this - used["tells the truth"], 60 + 3600 + 2 * kLargest) << tenant;
      ASSERT_LE(used["tells the truth"] - of_this, 60 + 3600 + 2 * kLargest) << tenant;
    }
  }
}

TEST_P(FairQueuePropertyTest, NothingIsLostOrDoubledAndSumsAreRightAfterAnyOperations) {
  FairQueue queue(Uniform(1, 100));
  // The model: what waits, in order of arrival for each tenant and priority.
  std::map<std::pair<Priority, std::string>, std::deque<FairQueue::Item>> waiting;
  std::vector<FairQueue::Item> taken;
  int64_t next_id = 0;
  const auto count = [&](bool interactive_only) {
    size_t sum = 0;
    for (const auto& [key, line] : waiting) {
      if (!interactive_only || key.first == Priority::kInteractive) sum += line.size();
    }
    return sum;
  };
  const auto pop = [&](Priority least) {
    const size_t interactive = count(true), all = count(false);
    auto item = queue.Pop(least);
    ASSERT_EQ(item.has_value(), (least == Priority::kInteractive ? interactive : all) > 0);
    if (!item) return;
    ASSERT_TRUE(item->priority == Priority::kInteractive || interactive == 0);
    auto& line = waiting[{item->priority, item->tenant}];
    ASSERT_FALSE(line.empty());
    ASSERT_EQ(line.front().id, item->id) << "within a tenant by order of arrival";
    line.pop_front();
    taken.push_back(*std::move(item));
  };
  for (int i = 0; i < 5000; ++i) {
    const std::string tenant(1, static_cast<char>('a' + Below(6)));
    const Priority priority = Below(3) == 0 ? Priority::kInteractive : Priority::kBatch;
    switch (Below(8)) {
      case 0:
      case 1:
      case 2: {
        const auto item = Item(next_id++, tenant, Below(20) == 0 ? Uniform(1, 20'000) : Uniform(0.01, 100), priority);
        waiting[{priority, tenant}].push_back(item);
        queue.Push(item);
        break;
      }
      case 3:
      case 4:
        pop(priority);
        break;
      case 5:
        if (!taken.empty()) {
          waiting[{taken.back().priority, taken.back().tenant}].push_front(taken.back());
          queue.Return(taken.back());
          taken.pop_back();
        }
        break;
      case 6: {
        const int64_t id = Below(next_id + 1);
        bool found = false;
        for (auto& [key, line] : waiting) {
          found = std::erase_if(line, [id](const auto& item) { return item.id == id; }) > 0 || found;
        }
        ASSERT_EQ(queue.Remove(id), found);
        break;
      }
      default:
        queue.Charge(tenant, priority, Uniform(-200, 200));
    }
    double seconds = 0;
    for (const auto& [key, line] : waiting) {
      for (const auto& item : line) seconds += item.seconds;
    }
    ASSERT_EQ(queue.size(), count(false));
    ASSERT_NEAR(queue.seconds(), seconds, 1e-6);
    if (HasFatalFailure()) return;
  }
  while (count(false) > 0 && !HasFatalFailure()) pop(Priority::kBatch);
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(queue.seconds(), 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, FairQueuePropertyTest, ::testing::Range(0U, 12U));

}  // namespace
}  // namespace tutti
