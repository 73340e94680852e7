// Who works on what, and when.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "base/cpu_affinity.h"
#include "base/mutex.h"
#include "tests/engine/fake_parts.h"
#include "tests/support/eventually.h"

namespace tutti {
namespace {

using std::chrono::milliseconds;
using testing::Eventually;
using testing::FakeRecognizer;
using testing::Gate;
using testing::Interactive;
using testing::Threads;
using testing::Tone;

TEST(RecognizerScheduleTest, TheQueueNeverHoldsMoreThanItsBounds) {
  RecognizerOptions options = Threads(2);
  options.decode_threads = 4;
  options.batch_seconds = 3;
  options.queue_seconds = 12;  // 200 rows
  options.queue_bytes = 150 * 560 * 4;
  const Recognizer* seen = nullptr;
  std::atomic<bool> over = false, full = false;
  const auto look = [&](const ScatteredBatch&) {
    const SegmentQueue& queue = static_cast<const RecognizerImpl*>(seen)->segment_queue();
    if (!full && Eventually([&queue] { return queue.rows() >= 100; })) full = true;  // feeders run ahead
    if (queue.rows() > 200 || queue.bytes() > 150 * 560 * 4) over = true;
    std::this_thread::sleep_for(milliseconds(1));
  };
  const auto recognizer = FakeRecognizer(options, look);
  seen = recognizer.get();
  std::vector<std::shared_ptr<Transcription>> pending;
  for (int i = 0; i < 100; ++i)
    pending.push_back(*recognizer->Submit(Tone(i, 1500), i % 2 ? Interactive() : TranscribeOptions{}));
  for (const auto& request : pending) EXPECT_TRUE(request->Wait().ok());
  EXPECT_FALSE(over);
  EXPECT_TRUE(full) << "the queue was never put under pressure";
}

TEST(RecognizerScheduleTest, InteractiveWorkOvertakesABacklogThatFillsEveryQueue) {
  constexpr int64_t kBacklogRows = 17;  // of a second; the urgent recording has fewer
  std::atomic<int> batches = 0, urgent_batch = -1;
  Gate release;
  RecognizerOptions options = Threads(1);
  options.batch_seconds = 2;
  options.queue_seconds = 8;
  const auto recognizer = FakeRecognizer(options, [&](const ScatteredBatch& batch) {
    const int index = batches++;
    for (int64_t i = 0; i < batch.segments(); ++i) {
      if (batch.rows(i) < kBacklogRows) urgent_batch = index;
    }
    if (index == 0) release.Wait();
  });
  std::vector<std::shared_ptr<Transcription>> backlog;
  for (int i = 0; i < 60; ++i) backlog.push_back(*recognizer->Submit(Tone(i, 1000)));
  const SegmentQueue& queue = static_cast<const RecognizerImpl&>(*recognizer).segment_queue();
  ASSERT_TRUE(Eventually([&] { return batches == 1 && queue.rows() >= 100; }));  // the worker is busy, the queue full
  const auto urgent = *recognizer->Submit(Tone(99, 400), Interactive());
  ASSERT_TRUE(Eventually([&] { return queue.rows() % kBacklogRows != 0; }))
      << "it did not get past the backlog's decoding";
  release.Open();
  EXPECT_TRUE(urgent->Wait().ok());
  EXPECT_EQ(urgent_batch, 1) << "the next after the one that was running";
  for (const auto& request : backlog) EXPECT_TRUE(request->Wait().ok());
}

TEST(RecognizerScheduleTest, SegmentsOfOneRecordingAreSpreadOverTheWorkers) {
  std::atomic<int> inside = 0;
  RecognizerOptions options = Threads(3);
  options.batch_seconds = 1;
  const auto recognizer = FakeRecognizer(options, [&](const ScatteredBatch&) {
    ++inside;
    EXPECT_TRUE(Eventually([&] { return inside >= 3; })) << "a worker is idle while another has all the segments";
  });
  TranscribeOptions cut;
  cut.max_segment_ms = 1000;
  EXPECT_TRUE(recognizer->Transcribe(Tone(1, 6000), cut).ok());
}

TEST(RecognizerScheduleTest, TheLargestOfTheWaitingRecordingsBeginsFirstAndResultsKeepTheirOrder) {
  std::vector<int64_t> begun;  // rows, as the only worker sees them
  std::atomic<int> batches = 0;
  Gate release;
  RecognizerOptions options = Threads(1);
  options.batch_seconds = 0.1;
  options.queue_seconds = 1.2;  // one recording
  const auto recognizer = FakeRecognizer(options, [&](const ScatteredBatch& batch) {
    if (batches++ == 0) release.Wait();
    begun.push_back(batch.rows());
  });
  std::vector<std::shared_ptr<Transcription>> requests = {*recognizer->Submit(Tone(0, 1000))};
  ASSERT_TRUE(Eventually([&] { return batches == 1; }));
  // The decode thread may take one before the others are there.
  const SegmentQueue& queue = static_cast<const RecognizerImpl&>(*recognizer).segment_queue();
  requests.push_back(*recognizer->Submit(Tone(0, 1000)));
  ASSERT_TRUE(Eventually([&] { return queue.rows() > 0; }));
  requests.push_back(*recognizer->Submit(Tone(0, 1000)));
  for (const int64_t ms : {300, 600, 900, 400, 800}) requests.push_back(*recognizer->Submit(Tone(1, ms)));
  release.Open();
  for (const auto& request : requests) EXPECT_TRUE(request->Wait().ok());
  ASSERT_EQ(begun.size(), 8u);
  EXPECT_TRUE(std::is_sorted(begun.begin() + 3, begun.end(), std::greater<>())) << ::testing::PrintToString(begun);
}

TEST(RecognizerScheduleTest, PinnedWorkersRunOnTheirCpusAlone) {
  const auto cpus = AllowedCpus();
  ASSERT_TRUE(cpus.ok());
  for (const bool latency : {false, true}) {
    RecognizerOptions options = Threads(static_cast<int>(cpus->size()) + 1);  // one more than there are CPUs
    options.pin_threads = true;
    options.latency = latency;
    options.batch_seconds = 0.1;
    Mutex mu;
    std::vector<int> seen;
    const auto recognizer = FakeRecognizer(options, [&](const ScatteredBatch&) {
      const auto mine = AllowedCpus();
      MutexLock lock(mu);
      seen.insert(seen.end(), mine->begin(), mine->end());
    });
    constexpr size_t kRecordings = 20;
    std::vector<std::shared_ptr<Transcription>> requests;
    for (size_t i = 0; i < kRecordings; ++i) requests.push_back(*recognizer->Submit(Tone(1, 300)));
    for (const auto& request : requests) EXPECT_TRUE(request->Wait().ok());
    EXPECT_EQ(seen.size(), kRecordings) << "one CPU for each batch";
    for (const int cpu : seen) EXPECT_TRUE(std::ranges::count(*cpus, cpu));
  }
}

}  // namespace
}  // namespace tutti
