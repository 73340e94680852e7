#include "nn/team.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <vector>

#include "tests/support/eventually.h"

namespace tutti {
namespace {

TEST(TeamTest, EveryItemIsWorkedOnOnceAndIsDoneWhenRunReturns) {
  for (const int helpers : {0, 1, 3}) {
    Team team(helpers);
    EXPECT_EQ(team.size(), helpers + 1);
    Workspace own;
    for (int round = 0; round < 2000; ++round) {
      std::vector<int> times(static_cast<size_t>(round % 17));  // plain: TSan sees what Run does not order
      team.Run(static_cast<int64_t>(times.size()), own,
               [&](int64_t item, Workspace&) { ++times[static_cast<size_t>(item)]; });
      ASSERT_EQ(std::ranges::count(times, 1), static_cast<int64_t>(times.size()));
    }
  }
}

TEST(TeamTest, ItemsRunAtTheSameTimeEachWithTheWorkspaceOfItsThread) {
  Team team(2);
  Workspace own;
  std::atomic<int> inside = 0;
  std::vector<const Workspace*> workspaces(3);
  team.Run(3, own, [&](int64_t item, Workspace& workspace) {
    workspaces[static_cast<size_t>(item)] = &workspace;
    ++inside;
    EXPECT_TRUE(testing::Eventually([&] { return inside == 3; }));
  });
  EXPECT_NE(workspaces[0], workspaces[1]);
  EXPECT_NE(workspaces[1], workspaces[2]);
  EXPECT_NE(workspaces[0], workspaces[2]);
  EXPECT_EQ(std::ranges::count(workspaces, &own), 1);
}

TEST(TeamTest, HelpersThatHaveFallenAsleepWakeForTheNextRound) {
  Team team(1);
  Workspace own;
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // longer than a helper spins
    std::atomic<int> inside = 0;
    team.Run(2, own, [&](int64_t, Workspace&) {
      ++inside;
      EXPECT_TRUE(testing::Eventually([&] { return inside == 2; }));
    });
  }
}

TEST(TeamTest, HelpersEndWhereverTheyAreWhenTheTeamDoes) {
  Workspace own;
  for (int i = 0; i < 1000; ++i) {
    Team team(1 + i % 3);
    std::atomic<int> items = 0;
    for (int round = 0; round < i % 8; ++round) team.Run(10, own, [&](int64_t, Workspace&) { ++items; });
    EXPECT_EQ(items, i % 8 * 10);
  }
}

TEST(TeamTest, AnExceptionComesOutOnceTheOthersHaveEnded) {
  Team team(2);
  Workspace own;
  for (int round = 0; round < 100; ++round) {
    std::atomic<int> done = 0;
    EXPECT_THROW(team.Run(8, own,
                          [&](int64_t item, Workspace&) {
                            ++done;
                            if (item % 3 == 1) throw std::runtime_error("item");
                          }),
                 std::runtime_error);
    EXPECT_EQ(done, 8);
  }
  int sum = 0;
  team.Run(1, own, [&](int64_t, Workspace&) { ++sum; });
  EXPECT_EQ(sum, 1) << "the team works on";
}

TEST(TeamTest, TrimmedHelpersGiveTheirMemoryBack) {
  Team team(1);
  Workspace own;
  const auto of_helper = [&](int64_t floats) {
    std::atomic<int> inside = 0;
    std::atomic<size_t> capacity = 0;
    team.Run(2, own, [&](int64_t, Workspace& workspace) {
      ++inside;
      EXPECT_TRUE(testing::Eventually([&] { return inside == 2; }));
      if (&workspace == &own) return;
      capacity = workspace.capacity();
      Workspace::Scope scope(workspace);
      if (floats > 0) scope.Floats(floats);
    });
    return capacity.load();
  };
  of_helper(1 << 20);
  EXPECT_GE(of_helper(0), size_t{4} << 20);
  team.Trim();
  EXPECT_TRUE(testing::Eventually([&] { return of_helper(0) == 0; }));
}

TEST(TeamTest, RunWithinABodyWorksAlone) {
  Team team(1);
  Workspace own;
  own.set_team(&team);
  std::atomic<int> sum = 0;
  ForEach(4, own, [&](int64_t, Workspace& outer) {
    ForEach(5, outer, [&](int64_t, Workspace& inner) {
      EXPECT_EQ(&inner, &outer);
      ++sum;
    });
  });
  EXPECT_EQ(sum, 20);
}

TEST(TeamTest, WithoutATeamTheCallerDoesAllInOrder) {
  Workspace own;
  std::vector<int64_t> items;
  ForEach(3, own, [&](int64_t item, Workspace&) { items.push_back(item); });
  EXPECT_EQ(items, std::vector<int64_t>({0, 1, 2}));
  EXPECT_EQ(TeamSize(own), 1);
}

}  // namespace
}  // namespace tutti
