#include "engine/request_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/eventually.h"

namespace tutti {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

std::shared_ptr<RequestTable> StartedTable(
    int64_t max_pending, std::function<void()> drop_stopped = [] {}) {
  auto table = std::make_shared<RequestTable>(max_pending);
  table->Start(std::move(drop_stopped));
  return table;
}

absl::StatusOr<std::shared_ptr<Request>> Admit(RequestTable& table, TranscribeOptions options = {}, bool wait = false) {
  return table.Admit(wait, {0, "a.wav", "", ""}, std::move(options), nullptr, nullptr);
}

TEST(RequestTableTest, RefusesMoreThanItsBoundUntilOneIsFinished) {
  const auto table = StartedTable(2);
  const auto first = Admit(*table), second = Admit(*table);
  ASSERT_TRUE(first.ok() && second.ok());
  const auto refused = Admit(*table);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("a.wav"));
  (*first)->FeedingDone({});
  EXPECT_TRUE(Admit(*table).ok());
}

TEST(RequestTableTest, WaitsForRoomWhenAskedTo) {
  const auto table = StartedTable(1);
  const auto first = Admit(*table);
  std::thread waiting([&table] { EXPECT_TRUE(Admit(*table, {}, true).ok()); });
  std::this_thread::sleep_for(milliseconds(20));
  (*first)->FeedingDone({});
  waiting.join();
}

TEST(RequestTableTest, WaitsForRoomNoLongerThanTheDeadline) {
  const auto table = StartedTable(1);
  const auto first = Admit(*table);
  TranscribeOptions options;
  options.deadline = steady_clock::now() + milliseconds(20);
  EXPECT_EQ(Admit(*table, options, true).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(RequestTableTest, CancelledRequestsEndAtOnceAndAreLetGoEverywhere) {
  std::atomic<int> drops = 0;
  const auto table = StartedTable(10, [&drops] { ++drops; });
  const auto request = *Admit(*table);
  request->Cancel();
  EXPECT_TRUE(request->stopped());
  EXPECT_EQ(request->Wait().status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(testing::Eventually([&] { return drops > 0; }));
}

TEST(RequestTableTest, DeadlinesEndRequestsThatNobodyLooksAt) {
  const auto table = StartedTable(10);
  TranscribeOptions soon, later, never;
  soon.deadline = steady_clock::now() + milliseconds(200);
  later.deadline = steady_clock::now() + std::chrono::hours(10);
  never.deadline = steady_clock::time_point::max();
  const auto a = *Admit(*table, later), b = *Admit(*table, soon), c = *Admit(*table, never);
  EXPECT_EQ(b->Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_GE(steady_clock::now(), *soon.deadline);
  EXPECT_FALSE(a->done());
  EXPECT_FALSE(c->done());
}

TEST(RequestTableTest, CloseCancelsWhatIsPendingAndWhoeverWaits) {
  const auto table = StartedTable(1);
  const auto request = *Admit(*table);
  std::thread waiting([&table] { EXPECT_EQ(Admit(*table, {}, true).status().code(), absl::StatusCode::kCancelled); });
  std::this_thread::sleep_for(milliseconds(20));
  table->Close();
  waiting.join();
  EXPECT_EQ(request->Wait().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Admit(*table).status().code(), absl::StatusCode::kCancelled);
}

TEST(RequestTableTest, ARequestMayBeCancelledAfterTheTableIsGone) {
  auto table = StartedTable(1);
  const auto request = *Admit(*table);
  table->Close();
  table = nullptr;
  request->Cancel();
  EXPECT_EQ(request->Wait().status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace tutti
