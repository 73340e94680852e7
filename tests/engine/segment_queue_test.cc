#include "engine/segment_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>

#include "tests/support/eventually.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::shared_ptr<Request> RequestOf(Priority priority) {
  TranscribeOptions options;
  options.priority = priority;
  return std::make_shared<Request>(Request::Identity{}, options, nullptr, std::weak_ptr<RequestObserver>(), nullptr);
}

std::unique_ptr<QueuedSegment> SegmentOf(int64_t rows, std::shared_ptr<Request> request = RequestOf(Priority::kBatch)) {
  auto segment = std::make_unique<QueuedSegment>();
  segment->request = std::move(request);
  segment->rows = segment->cost = rows;
  segment->features.resize(static_cast<size_t>(rows));  // width 1: 4 bytes a row
  return segment;
}

absl::Status Push(SegmentQueue& queue, int64_t rows, std::shared_ptr<Request> request = RequestOf(Priority::kBatch)) {
  auto segment = SegmentOf(rows, std::move(request));
  return queue.Push(segment);
}

std::vector<int64_t> Rows(const std::vector<std::unique_ptr<QueuedSegment>>& batch) {
  std::vector<int64_t> rows;
  for (const auto& segment : batch) rows.push_back(segment->rows);
  return rows;
}

TEST(SegmentQueueTest, RefusesAudioBeyondTheBoundAndLeavesItWithTheCaller) {
  SegmentQueue queue({.max_rows = 16});  // of which 14 for batch
  auto first = SegmentOf(8), second = SegmentOf(7), third = SegmentOf(6);
  ASSERT_TRUE(queue.Push(first).ok());
  EXPECT_FALSE(queue.HasRoomFor(*second));
  EXPECT_EQ(queue.Push(second).code(), absl::StatusCode::kResourceExhausted);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->rows, 7);
  EXPECT_EQ(second->features.size(), 7u);
  EXPECT_TRUE(queue.HasRoomFor(*third));
  EXPECT_TRUE(queue.Push(third).ok());
}

TEST(SegmentQueueTest, RefusesBytesBeyondTheBound) {
  SegmentQueue queue({.max_bytes = 64});  // of which 56 for batch
  EXPECT_TRUE(Push(queue, 8).ok());
  EXPECT_EQ(Push(queue, 7).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Push(queue, 6).ok());
  EXPECT_EQ(queue.bytes(), 56);
}

TEST(SegmentQueueTest, ABatchHoldsWhatSegmentsCountAsThere) {
  SegmentQueue queue({});
  for (const int64_t rows : {2, 3, 4, 5}) {
    auto segment = SegmentOf(rows);
    if (rows != 5) segment->cost = 10;
    ASSERT_TRUE(queue.Push(segment).ok());
  }
  EXPECT_EQ(queue.rows(), 14);
  EXPECT_THAT(Rows(queue.PopBatch(25)), ElementsAre(2, 3));
  EXPECT_THAT(Rows(queue.TakeMore(9)), IsEmpty());
  EXPECT_THAT(Rows(queue.TakeMore(14)), ElementsAre(4));
  EXPECT_THAT(Rows(queue.TakeMore(5)), ElementsAre(5));
  // Nothing is left to be counted: with one in the queue a batch takes it, however large.
  ASSERT_TRUE(Push(queue, 7).ok());
  EXPECT_THAT(Rows(queue.PopBatch(1)), ElementsAre(7));
}

TEST(SegmentQueueTest, ASegmentLargerThanTheBoundIsTakenWhenNothingElseWaits) {
  SegmentQueue queue({.max_rows = 10});
  EXPECT_TRUE(Push(queue, 100).ok());
  EXPECT_EQ(Push(queue, 1).code(), absl::StatusCode::kResourceExhausted);
}

TEST(SegmentQueueTest, KeepsRoomForInteractiveSegmentsThatBatchWorkCannotTake) {
  SegmentQueue queue({.max_rows = 80});
  ASSERT_TRUE(Push(queue, 70).ok());
  EXPECT_EQ(Push(queue, 10).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Push(queue, 10, RequestOf(Priority::kInteractive)).ok());
  EXPECT_EQ(Push(queue, 1, RequestOf(Priority::kInteractive)).code(), absl::StatusCode::kResourceExhausted);
}

TEST(SegmentQueueTest, ABatchTakesTheOldestFirstAndFillsUpToItsBudget) {
  SegmentQueue queue({});
  for (int64_t rows : {4, 3, 2, 5}) ASSERT_TRUE(Push(queue, rows).ok());
  EXPECT_THAT(Rows(queue.PopBatch(9)), ElementsAre(4, 3, 2));
  EXPECT_THAT(Rows(queue.PopBatch(9)), ElementsAre(5));
  EXPECT_EQ(queue.rows(), 0);
  EXPECT_EQ(queue.bytes(), 0);
}

TEST(SegmentQueueTest, ASegmentThatDoesNotFitIsNotOvertaken) {
  SegmentQueue queue({});
  for (int64_t rows : {4, 7, 1}) ASSERT_TRUE(Push(queue, rows).ok());
  EXPECT_THAT(Rows(queue.PopBatch(9)), ElementsAre(4));
  EXPECT_THAT(Rows(queue.PopBatch(9)), ElementsAre(7, 1));
}

TEST(SegmentQueueTest, HandsOutASegmentLongerThanTheBudgetAlone) {
  SegmentQueue queue({});
  for (int64_t rows : {50, 1}) ASSERT_TRUE(Push(queue, rows).ok());
  EXPECT_THAT(Rows(queue.PopBatch(10)), ElementsAre(50));
  EXPECT_THAT(Rows(queue.PopBatch(10)), ElementsAre(1));
}

TEST(SegmentQueueTest, InteractiveSegmentsGoFirst) {
  SegmentQueue queue({});
  ASSERT_TRUE(Push(queue, 20).ok());
  ASSERT_TRUE(Push(queue, 30, RequestOf(Priority::kInteractive)).ok());
  EXPECT_THAT(Rows(queue.PopBatch(100)), ElementsAre(30, 20));
}

TEST(SegmentQueueTest, AShortInteractiveSegmentIsNotKeptWaitingByItsCompany) {
  SegmentQueue queue({});
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Push(queue, 10).ok());
  ASSERT_TRUE(Push(queue, 5, RequestOf(Priority::kInteractive)).ok());
  EXPECT_THAT(Rows(queue.PopBatch(160)), ElementsAre(5, 10, 10));  // 160 / 8 beside it
  EXPECT_EQ(queue.PopBatch(160).size(), 16u);
}

TEST(SegmentQueueTest, WaitingWorkersShareWhatThereIs) {
  SegmentQueue queue({});
  std::vector<std::vector<int64_t>> taken(2);
  std::vector<std::thread> workers;
  for (auto& mine : taken) {
    workers.emplace_back([&queue, &mine] {
      for (auto batch = queue.PopBatch(1000); !batch.empty(); batch = queue.PopBatch(1000)) {
        for (int64_t rows : Rows(batch)) mine.push_back(rows);
        EXPECT_EQ(batch.size(), 1u) << "one worker took what was for both";
      }
    });
  }
  ASSERT_TRUE(testing::Eventually([&] { return queue.idle_workers() == 2; }));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(Push(queue, 10).ok());
  ASSERT_TRUE(testing::Eventually([&] { return queue.rows() == 0; }));
  queue.Close();
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(taken[0].size() + taken[1].size(), 2u);
}

TEST(SegmentQueueTest, OneWorksAloneWhileAllOthersWaitAndNothingWaitsForThem) {
  EXPECT_TRUE(SegmentQueue({.workers = 1}).only_one_works());
  SegmentQueue queue({.workers = 2});
  EXPECT_FALSE(queue.only_one_works()) << "the other one is at work too";
  std::thread other([&queue] { EXPECT_TRUE(queue.PopBatch(1000).empty()); });
  EXPECT_TRUE(testing::Eventually([&] { return queue.only_one_works(); }));
  queue.Close();
  other.join();
  EXPECT_FALSE(queue.only_one_works());
}

TEST(SegmentQueueTest, TheLastSegmentsAreSharedSoThatWorkersEndTogether) {
  SegmentQueue queue({.workers = 4});
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(Push(queue, 10).ok());
  EXPECT_EQ(queue.PopBatch(80).size(), 8u) << "a whole budget while there is one for each";
  for (int i = 0; i < 4; ++i) queue.PopBatch(80);
  EXPECT_EQ(queue.rows(), 640 - 400);
  EXPECT_EQ(queue.PopBatch(80).size(), 6u) << "a fourth of 240";
  EXPECT_EQ(queue.PopBatch(80).size(), 4u) << "of 180";
  for (int left = 140; left > 0; left = static_cast<int>(queue.rows())) {
    EXPECT_LE(queue.PopBatch(80).size(), static_cast<size_t>(std::max(1, left / 40)));
  }
}

TEST(SegmentQueueTest, NoShareIsBelowAnEighthOfTheBudget) {
  SegmentQueue queue({.workers = 100});
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Push(queue, 10).ok());
  EXPECT_EQ(queue.PopBatch(240).size(), 3u);
}

TEST(SegmentQueueTest, SegmentsOfStoppedRequestsAreNeitherQueuedNorHandedOut) {
  SegmentQueue queue({});
  const auto stopped = RequestOf(Priority::kBatch);
  ASSERT_TRUE(Push(queue, 3, stopped).ok());
  ASSERT_TRUE(Push(queue, 4).ok());
  stopped->Cancel();
  auto late = SegmentOf(5, stopped);
  EXPECT_EQ(queue.Push(late).code(), absl::StatusCode::kCancelled);
  EXPECT_NE(late, nullptr);
  EXPECT_THAT(Rows(queue.PopBatch(100)), ElementsAre(4));
}

TEST(SegmentQueueTest, ADeadlineThatPassedStopsASegmentToo) {
  SegmentQueue queue({});
  TranscribeOptions options;
  options.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  const auto request =
      std::make_shared<Request>(Request::Identity{}, options, nullptr, std::weak_ptr<RequestObserver>(), nullptr);
  ASSERT_TRUE(Push(queue, 3, request).ok());
  std::this_thread::sleep_until(*options.deadline);
  ASSERT_TRUE(Push(queue, 4).ok());
  EXPECT_THAT(Rows(queue.PopBatch(100)), ElementsAre(4));
}

TEST(SegmentQueueTest, DroppingStoppedSegmentsMakesRoomAtOnce) {
  int times_told = 0;
  SegmentQueue queue({.max_rows = 10}, [&times_told] { ++times_told; });
  const auto stopped = RequestOf(Priority::kBatch);
  ASSERT_TRUE(Push(queue, 4, stopped).ok());
  ASSERT_TRUE(Push(queue, 1).ok());
  ASSERT_TRUE(Push(queue, 3, stopped).ok());
  stopped->Cancel();
  queue.DropStopped();
  EXPECT_EQ(queue.rows(), 1);
  EXPECT_EQ(queue.bytes(), 4);
  EXPECT_EQ(times_told, 1);
}

TEST(SegmentQueueTest, TellsWhenABatchHasLeftRoom) {
  int times_told = 0;
  SegmentQueue queue({}, [&times_told] { ++times_told; });
  ASSERT_TRUE(Push(queue, 1).ok());
  EXPECT_EQ(times_told, 0);
  queue.PopBatch(1);
  EXPECT_EQ(times_told, 1);
}

TEST(SegmentQueueTest, AWorkerHearsOnceThatItIsIdleAndStillGetsWhatComes) {
  SegmentQueue queue({.patience = std::chrono::milliseconds(1)});
  std::atomic<int> idle = 0;
  std::vector<int64_t> rows;
  std::thread worker([&] { rows = Rows(queue.PopBatch(10, [&idle] { ++idle; })); });
  testing::Eventually([&] { return idle == 1; });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(Push(queue, 3).ok());
  worker.join();
  EXPECT_THAT(rows, ElementsAre(3));
  EXPECT_EQ(idle, 1);
}

TEST(SegmentQueueTest, AWorkerThatFindsWorkIsNotIdle) {
  SegmentQueue queue({.patience = std::chrono::milliseconds(0)});
  EXPECT_TRUE(Push(queue, 3).ok());
  EXPECT_THAT(Rows(queue.PopBatch(10, [] { ADD_FAILURE(); })), ElementsAre(3));
}

TEST(SegmentQueueTest, CloseWakesWorkersAndRefusesMore) {
  SegmentQueue queue({});
  std::thread worker([&queue] { EXPECT_THAT(queue.PopBatch(10), IsEmpty()); });
  queue.Close();
  worker.join();
  EXPECT_EQ(Push(queue, 1).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(queue.PopBatch(10), IsEmpty());
}

TEST(SegmentQueueTest, EverySegmentReachesExactlyOneOfManyWorkers) {
  constexpr int kSegments = 1000;
  SegmentQueue queue({.max_rows = 64});
  std::vector<std::thread> workers;
  std::vector<int64_t> sums(4);
  for (int64_t& sum : sums) {
    workers.emplace_back([&queue, &sum] {
      for (auto batch = queue.PopBatch(20); !batch.empty(); batch = queue.PopBatch(20)) {
        for (const auto& segment : batch) sum += segment->rows;
      }
    });
  }
  const auto request = RequestOf(Priority::kBatch);
  int64_t expected = 0;
  for (int i = 1; i <= kSegments; ++i) {
    auto segment = SegmentOf(i % 7 + 1, request);
    expected += segment->rows;
    while (!queue.Push(segment).ok()) std::this_thread::yield();
    EXPECT_LE(queue.rows(), 64);
  }
  ASSERT_TRUE(testing::Eventually([&] { return queue.rows() == 0; }));
  queue.Close();
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), int64_t{0}), expected);
}

}  // namespace
}  // namespace tutti
