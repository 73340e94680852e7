#include "nn/workspace.h"

#include <gtest/gtest.h>

#include <cstring>

namespace tutti {
namespace {

TEST(WorkspaceTest, BuffersAreAlignedAndApart) {
  Workspace workspace;
  Workspace::Scope scope(workspace);
  float* a = scope.Floats(3);
  float* b = scope.Floats(1'000'000);
  float* c = scope.Floats(5);
  for (const float* p : {a, b, c}) EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 64, 0U);
  std::fill(a, a + 3, 1.0F);
  std::fill(b, b + 1'000'000, 2.0F);
  std::fill(c, c + 5, 3.0F);
  EXPECT_EQ(a[2], 1.0F);
  EXPECT_EQ(b[999'999], 2.0F);
  EXPECT_EQ(c[0], 3.0F);
}

TEST(WorkspaceTest, AScopeGivesBackWhatItTook) {
  Workspace workspace;
  Workspace::Scope outer(workspace);
  outer.Floats(100);
  float* first = nullptr;
  {
    Workspace::Scope inner(workspace);
    first = inner.Floats(100);
  }
  Workspace::Scope inner(workspace);
  EXPECT_EQ(inner.Floats(100), first);
}

TEST(WorkspaceTest, StopsGrowingOnceItHasSeenTheLargestBatch) {
  Workspace workspace;
  const auto batch = [&workspace] {
    Workspace::Scope scope(workspace);
    for (int i = 0; i < 20; ++i) scope.Floats(100'000 * i);
  };
  batch();
  const size_t capacity = workspace.capacity();
  for (int i = 0; i < 5; ++i) batch();
  EXPECT_EQ(workspace.capacity(), capacity);
}

TEST(WorkspaceTest, ASmallBatchGivesBackThePagesOfALargeOneAndTheLargeOneFindsItsPlaceAgain) {
  Workspace workspace;
  const auto batch = [&workspace](int64_t floats) {
    Workspace::Scope scope(workspace);
    std::fill_n(scope.Floats(floats), floats, 1.0F);
  };
  batch(4'000'000);
  const size_t capacity = workspace.capacity();
  EXPECT_GE(workspace.touched(), 16'000'000U);
  batch(1'000'000);
  EXPECT_LT(workspace.touched(), 4'100'000U);
  batch(900'000);
  EXPECT_GE(workspace.touched(), 4'000'000U) << "a little less is no reason to give pages back";
  batch(4'000'000);
  EXPECT_EQ(workspace.capacity(), capacity);
}

TEST(WorkspaceTest, HoldsNothingAfterReleaseAndAsMuchAsBeforeAfterTheSameBatch) {
  Workspace workspace;
  const auto batch = [&workspace] {
    Workspace::Scope scope(workspace);
    for (int i = 0; i < 20; ++i) std::fill_n(scope.Floats(100'000), 100'000, 1.0F);
  };
  batch();
  batch();
  const size_t capacity = workspace.capacity();
  workspace.Release();
  EXPECT_EQ(workspace.capacity(), 0U);
  batch();
  EXPECT_EQ(workspace.capacity(), capacity);
}

}  // namespace
}  // namespace tutti
