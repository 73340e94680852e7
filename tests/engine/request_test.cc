#include "engine/request.h"

#include <gtest/gtest.h>

#include <thread>

namespace tutti {
namespace {

std::shared_ptr<Request> MakeRequest(TranscribeOptions options = {}, Recognizer::OnDone on_done = nullptr) {
  return std::make_shared<Request>(Request::Identity{.id = 0, .name = "a.wav", .model = "m", .compute_type = "f32"},
                                   std::move(options), std::move(on_done), std::weak_ptr<RequestObserver>(), nullptr);
}

Segment SegmentAt(int64_t start_ms, int channel, std::string text) {
  return {start_ms, start_ms + 100, channel, std::move(text), {}};
}

TEST(RequestTest, SegmentsAreRestoredToTheirOrderWhateverTheWorkersDid) {
  const auto request = MakeRequest();
  for (int i = 0; i < 4; ++i) request->ExpectSegment();
  request->AddSegment(2, {SegmentAt(500, 0, "three")}, 0.25);
  request->AddSegment(1, {SegmentAt(0, 1, "two")}, 0.25);
  request->FeedingDone({.duration_ms = 900, .channels = 2, .truncated = true, .timings = {.decode = 1, .vad = 2}});
  request->AddSegment(0, {SegmentAt(0, 0, "one")}, 0.25);
  EXPECT_FALSE(request->done());
  request->AddSegment(3, {SegmentAt(700, 0, "")}, 0.25);
  ASSERT_TRUE(request->done());
  const Transcript& transcript = *request->Wait();
  EXPECT_EQ(transcript.text, "one two three");
  EXPECT_EQ(transcript.segments.size(), 4u);
  EXPECT_EQ(transcript.file, "a.wav");
  EXPECT_EQ(transcript.model, "m");
  EXPECT_EQ(transcript.compute_type, "f32");
  EXPECT_EQ(transcript.duration_ms, 900);
  EXPECT_EQ(transcript.channels, 2);
  EXPECT_TRUE(transcript.truncated);
  EXPECT_EQ(transcript.timings.decode, 1);
  EXPECT_EQ(transcript.timings.recognise, 1);
  EXPECT_GT(transcript.timings.wall, 0);
}

TEST(RequestTest, ATranscriptIsInTheLanguageOfMostOfItsSpeech) {
  const auto request = MakeRequest();
  auto add = [&, number = int64_t{0}](int64_t start_ms, int64_t ms, const char* text, const char* language,
                                      float probability) mutable {
    Segment segment{start_ms, start_ms + ms, 0, text, {}};
    segment.language = language;
    segment.language_probability = probability;
    request->ExpectSegment();
    request->AddSegment(number++, {std::move(segment)}, 0);
  };
  add(0, 1000, "eins", "de", 0.5F);
  add(1000, 3000, "two", "en", 1);
  add(4000, 1000, "drei", "de", 0.5F);
  add(5000, 1000, "four", "en", 0.5F);
  add(6000, 9000, "", "la", 1);
  request->FeedingDone({});
  const Transcript& transcript = *request->Wait();
  EXPECT_EQ(transcript.language, "en") << "nothing was said in the longest";
  EXPECT_EQ(transcript.language_probability, 0.875F);
}

TEST(RequestTest, WithoutSegmentsThatTellATranscriptIsInNoLanguage) {
  const auto request = MakeRequest();
  request->ExpectSegment();
  request->AddSegment(0, {SegmentAt(0, 0, "one")}, 0);
  request->FeedingDone({});
  EXPECT_EQ(request->Wait()->language, "");
  EXPECT_EQ(request->Wait()->language_probability, std::nullopt);
}

TEST(RequestTest, ARecordingWithoutSpeechIsDoneWhenItIsFed) {
  const auto request = MakeRequest();
  request->FeedingDone({});
  ASSERT_TRUE(request->Wait().ok());
  EXPECT_EQ(request->Wait()->text, "");
}

TEST(RequestTest, TheFirstEndCountsAndIsToldOnce) {
  int told = 0;
  const auto request = MakeRequest({}, [&told](const auto& result) {
    ++told;
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  });
  request->ExpectSegment();
  request->Fail(absl::InvalidArgumentError("first"));
  request->Fail(absl::InternalError("second"));
  request->AddSegment(0, {SegmentAt(0, 0, "late")}, 0);
  request->FeedingDone({});
  request->Cancel();
  EXPECT_EQ(told, 1);
  EXPECT_EQ(request->Wait().status().message(), "first");
}

TEST(RequestTest, EverySegmentOfManyWorkersArrives) {
  constexpr int kThreads = 8, kEach = 100;
  const auto request = MakeRequest();
  for (int i = 0; i < kThreads * kEach; ++i) request->ExpectSegment();
  request->FeedingDone({});
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&request, t] {
      for (int i = 0; i < kEach; ++i) request->AddSegment(i * kThreads + t, {SegmentAt(i * kThreads + t, 0, "")}, 0);
    });
  }
  const Transcript transcript = *request->Wait();
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(transcript.segments.size(), static_cast<size_t>(kThreads * kEach));
  for (size_t i = 0; i < transcript.segments.size(); ++i) {
    EXPECT_EQ(transcript.segments[i].start_ms, static_cast<int64_t>(i));
  }
}

TEST(RequestTest, ProgressNeverRunsTwiceAtATimeNorBackwardsNorAfterTheEnd) {
  constexpr int kThreads = 8, kEach = 200;
  std::atomic<int> inside = 0;
  std::atomic<bool> ended = false;
  int64_t last = 0;
  TranscribeOptions options;
  options.progress = [&](const Progress& progress) {
    EXPECT_EQ(inside.fetch_add(1), 0);
    EXPECT_FALSE(ended);
    EXPECT_GE(progress.segments_done, last);
    last = progress.segments_done;
    std::this_thread::yield();
    inside.fetch_sub(1);
  };
  const auto request = MakeRequest(options, [&ended](const auto&) { ended = true; });
  for (int i = 0; i < kThreads * kEach; ++i) request->ExpectSegment();
  request->FeedingDone({});
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&request, t] {
      for (int i = 0; i < kEach; ++i) request->AddSegment(t * kEach + i, {}, 0);
    });
  }
  request->Wait();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(last, kThreads * kEach);
}

TEST(RequestTest, ASegmentThatItsModelDividesIsSeveralOfTheTranscriptInTheirOrder) {
  std::string told;
  TranscribeOptions options;
  options.on_segment = [&told](const Segment& segment) { told += segment.text; };
  const auto request = MakeRequest(options);
  for (int i = 0; i < 3; ++i) request->ExpectSegment();
  request->AddSegment(1, {SegmentAt(300, 0, "c"), SegmentAt(300, 0, "d")}, 0);
  request->AddSegment(0, {SegmentAt(0, 0, "a"), SegmentAt(100, 0, "b")}, 0);
  EXPECT_EQ(told, "abcd");
  request->AddSegment(2, {}, 0);
  request->FeedingDone({});
  ASSERT_TRUE(request->done());
  EXPECT_EQ(request->Wait()->text, "a b c d");
  EXPECT_EQ(request->Wait()->segments.size(), 4U);
}

TEST(RequestTest, SegmentsAreToldInOrderAsSoonAsAllBeforeThemAreThere) {
  std::string told;
  TranscribeOptions options;
  options.on_segment = [&told](const Segment& segment) { told += segment.text; };
  const auto request = MakeRequest(options, [&told](const auto&) { told += "."; });
  for (int i = 0; i < 4; ++i) EXPECT_EQ(request->ExpectSegment(), i);
  request->AddSegment(1, {SegmentAt(200, 0, "b")}, 0);
  EXPECT_EQ(told, "");
  request->AddSegment(0, {SegmentAt(0, 0, "a")}, 0);
  EXPECT_EQ(told, "ab");
  request->AddSegment(3, {SegmentAt(600, 0, "d")}, 0);
  request->AddSegment(2, {SegmentAt(400, 0, "c")}, 0);
  EXPECT_EQ(told, "abcd");
  request->FeedingDone({});
  EXPECT_EQ(told, "abcd.");
  EXPECT_EQ(request->Wait()->text, "a b c d");
}

TEST(RequestTest, SegmentsOfManyWorkersAreToldInOrderAndAllBeforeTheEnd) {
  constexpr int kThreads = 8, kEach = 200;
  int64_t told = 0;
  TranscribeOptions options;
  options.on_segment = [&told](const Segment& segment) { EXPECT_EQ(segment.start_ms, told++); };
  const auto request = MakeRequest(options, [&told](const auto&) { EXPECT_EQ(told, kThreads * kEach); });
  for (int i = 0; i < kThreads * kEach; ++i) request->ExpectSegment();
  request->FeedingDone({});
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&request, t] {
      for (int i = t; i < kThreads * kEach; i += kThreads) request->AddSegment(i, {SegmentAt(i, 0, "")}, 0);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(request->done());
}

}  // namespace
}  // namespace tutti
