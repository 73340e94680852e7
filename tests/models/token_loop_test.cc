#include "models/token_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

constexpr int32_t kMark = 100;

std::vector<int32_t> Repeated(std::vector<int32_t> tokens, size_t times, std::vector<int32_t> before = {}) {
  for (size_t i = 0; i < times; ++i) before.insert(before.end(), tokens.begin(), tokens.end());
  return before;
}

TEST(TokenLoopTest, ALoopIsSixTimesTheSameAndFortyEightTokens) {
  EXPECT_TRUE(RunsInLoop(Repeated({1, 2, 3, 4, 5, 6, 7, 8}, 6, {9}), kMark));
  EXPECT_FALSE(RunsInLoop(Repeated({1, 2, 3, 4, 5, 6, 7, 8}, 5, {9, 1, 2, 3, 4}), kMark)) << "five times";
  EXPECT_TRUE(RunsInLoop(Repeated({1}, 48), kMark));
  EXPECT_FALSE(RunsInLoop(Repeated({1}, 47, {2, 3}), kMark));
  std::vector<int32_t> longest(32);
  for (int32_t i = 0; i < 32; ++i) longest[static_cast<size_t>(i)] = i;
  EXPECT_TRUE(RunsInLoop(Repeated(longest, 6), kMark));
  longest.push_back(32);
  EXPECT_FALSE(RunsInLoop(Repeated(longest, 6), kMark));
}

TEST(TokenLoopTest, ATextThatGoesOnIsNoLoop) {
  std::vector<int32_t> tokens = Repeated({1, 2}, 30);
  EXPECT_TRUE(RunsInLoop(tokens, kMark));
  tokens.push_back(3);
  EXPECT_FALSE(RunsInLoop(tokens, kMark));
}

TEST(TokenLoopTest, TimesHideNoLoop) {
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 24; ++i) {
    for (const int32_t token : {kMark + i, 1, 2, kMark + i + 1}) tokens.push_back(token);
  }
  EXPECT_TRUE(RunsInLoop(tokens, kMark));
}

TEST(TokenLoopTest, OfALoopTheFirstStays) {
  EXPECT_THAT(CutLoops(Repeated({1, 2, 3}, 40, {7, 8}), kMark), ElementsAre(7, 8, 1, 2, 3));
  EXPECT_THAT(CutLoops(Repeated({1}, 12), kMark), ElementsAre(1));
  std::vector<int32_t> inside = Repeated({1, 2, 3}, 4, {7});
  inside.insert(inside.end(), {1, 9});
  EXPECT_THAT(CutLoops(inside, kMark), ElementsAre(7, 1, 2, 3, 1, 9)) << "what is behind it stays too";
}

TEST(TokenLoopTest, AFewRepetitionsStay) {
  for (const auto& tokens : {Repeated({1}, 11), Repeated({1, 2, 3, 4, 5}, 3, {6}), std::vector<int32_t>{}}) {
    EXPECT_THAT(CutLoops(tokens, kMark), ElementsAreArray(tokens));
  }
}

TEST(TokenLoopTest, TheTimesOfWhatIsCutGoWithIt) {
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 6; ++i) {
    for (const int32_t token : {kMark + i, 1, 2, kMark + i + 1}) tokens.push_back(token);
  }
  for (const int32_t token : {kMark + 8, 3, kMark + 9}) tokens.push_back(token);
  EXPECT_THAT(CutLoops(tokens, kMark), ElementsAre(kMark, 1, 2, kMark + 1, kMark + 8, 3, kMark + 9));
}

}  // namespace
}  // namespace tutti
