// What becomes of a request between Submit and its end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "tests/engine/fake_parts.h"
#include "tests/support/eventually.h"

namespace tutti {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::FakeRecognizer;
using testing::Gate;
using ::testing::HasSubstr;
using testing::TextOrError;
using testing::Threads;
using testing::Tone;

TEST(RecognizerRequestsTest, OnDoneIsCalledOnceBeforeWaitReturns) {
  const auto recognizer = FakeRecognizer(Threads(4));
  std::vector<std::atomic<int>> told(40);
  std::vector<std::shared_ptr<Transcription>> pending;
  for (size_t i = 0; i < told.size(); ++i) {
    pending.push_back(*recognizer->Submit(Tone(static_cast<int>(i), 300), {}, [&told, i](const auto&) { ++told[i]; }));
    if (i % 4 == 0) pending.back()->Cancel();
  }
  for (size_t i = 0; i < told.size(); ++i) {
    pending[i]->Wait();
    EXPECT_EQ(told[i], 1) << i;
  }
}

TEST(RecognizerRequestsTest, OnDoneMaySubmitMore) {
  const auto recognizer = FakeRecognizer(Threads(1));
  std::promise<std::string> second;
  const auto first = recognizer->Submit(Tone(1, 300), {}, [&](const auto&) {
    const auto next =
        recognizer->Submit(Tone(2, 300), {}, [&](const auto& result) { second.set_value(TextOrError(result)); });
    EXPECT_TRUE(next.ok());
  });
  EXPECT_EQ(second.get_future().get(), TextOrError(recognizer->Transcribe(Tone(2, 300))));
}

TEST(RecognizerRequestsTest, CancelEndsARequestWhileTheWorkerIsBusyWithAnother) {
  Gate release;
  const auto recognizer = FakeRecognizer(Threads(1), [&](const ScatteredBatch&) { release.Wait(); });
  const auto busy = *recognizer->Submit(Tone(1, 300));
  const auto waiting = *recognizer->Submit(Tone(2, 300));
  waiting->Cancel();
  waiting->Cancel();
  EXPECT_EQ(waiting->Wait().status().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(waiting->Wait().status().message()), HasSubstr("tone 2"));
  busy->Cancel();  // in the network already: its result comes to nothing
  EXPECT_EQ(busy->Wait().status().code(), absl::StatusCode::kCancelled);
  release.Open();
  EXPECT_TRUE(recognizer->Transcribe(Tone(3, 300)).ok());
}

TEST(RecognizerRequestsTest, CancelAfterTheResultChangesNothing) {
  const auto recognizer = FakeRecognizer(Threads(1));
  const auto request = *recognizer->Submit(Tone(1, 300));
  EXPECT_TRUE(request->Wait().ok());
  request->Cancel();
  EXPECT_TRUE(request->Wait().ok());
}

TEST(RecognizerRequestsTest, TheDeadlineEndsARequestWhereverItIs) {
  Gate release;
  const auto recognizer = FakeRecognizer(Threads(1), [&](const ScatteredBatch&) { release.Wait(); });
  TranscribeOptions options;
  options.deadline = steady_clock::now() + milliseconds(500);
  const auto busy = *recognizer->Submit(Tone(1, 300), options);
  const auto waiting = *recognizer->Submit(Tone(2, 300), options);
  EXPECT_EQ(busy->Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(waiting->Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
  options.deadline = steady_clock::now() - milliseconds(1);
  EXPECT_EQ(recognizer->Transcribe(Tone(3, 300), options).status().code(), absl::StatusCode::kDeadlineExceeded);
  release.Open();
}

TEST(RecognizerRequestsTest, RefusesToSubmitBeyondMaxPendingWhileTranscribeWaits) {
  Gate release;
  RecognizerOptions options = Threads(1);
  options.max_pending = 2;
  const auto recognizer = FakeRecognizer(options, [&](const ScatteredBatch&) { release.Wait(); });
  const auto a = *recognizer->Submit(Tone(1, 300)), b = *recognizer->Submit(Tone(2, 300));
  EXPECT_EQ(recognizer->Submit(Tone(3, 300)).status().code(), absl::StatusCode::kResourceExhausted);
  std::thread patient([&] { EXPECT_TRUE(recognizer->Transcribe(Tone(3, 300)).ok()); });
  release.Open();
  patient.join();
}

TEST(RecognizerRequestsTest, DestructionCancelsWhatIsPendingAndCallsEveryCallback) {
  std::atomic<int> told = 0;
  std::vector<std::shared_ptr<Transcription>> pending;
  {
    RecognizerOptions options = Threads(2);
    options.queue_seconds = 5;
    const auto recognizer =
        FakeRecognizer(options, [](const ScatteredBatch&) { std::this_thread::sleep_for(milliseconds(5)); });
    for (int i = 0; i < 100; ++i) {
      pending.push_back(*recognizer->Submit(Tone(i, 1500), {}, [&told](const auto&) { ++told; }));
    }
    EXPECT_TRUE(pending.front()->Wait().ok());
  }
  EXPECT_EQ(told, 100);
  int cancelled = 0;
  for (const auto& request : pending) {
    ASSERT_TRUE(request->done());
    if (!request->Wait().ok()) {
      EXPECT_EQ(request->Wait().status().code(), absl::StatusCode::kCancelled);
      ++cancelled;
    }
    request->Cancel();
  }
  EXPECT_GT(cancelled, 0);
}

TEST(RecognizerRequestsTest, ProgressRunsFromNothingToAll) {
  const auto recognizer = FakeRecognizer(Threads(2));
  std::vector<Progress> reports;
  TranscribeOptions options;
  options.max_segment_ms = 2000;
  options.progress = [&reports](const Progress& progress) { reports.push_back(progress); };
  const auto result = recognizer->Transcribe(Tone(1, 9000), options);
  ASSERT_TRUE(result.ok());
  ASSERT_FALSE(reports.empty());
  const auto segments = static_cast<int64_t>(result->segments.size());
  EXPECT_EQ(reports.back().audio_ms_decoded, 9000);
  EXPECT_EQ(reports.back().segments_found, segments);
  EXPECT_EQ(reports.back().segments_done, segments);
  for (size_t i = 1; i < reports.size(); ++i) {
    EXPECT_GE(reports[i].audio_ms_decoded, reports[i - 1].audio_ms_decoded);
    EXPECT_GE(reports[i].segments_done, reports[i - 1].segments_done);
    EXPECT_LE(reports[i].segments_done, reports[i].segments_found);
  }
}

}  // namespace
}  // namespace tutti
