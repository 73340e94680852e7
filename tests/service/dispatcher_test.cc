#include "service/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "tests/engine/fake_parts.h"
#include "tests/service/dispatcher_fixture.h"

namespace tutti {
namespace {

using ::testing::AllOf;
using testing::DispatcherTest;
using ::testing::ElementsAre;
using testing::Eventually;
using testing::Gate;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kOneAtATime;

TEST_F(DispatcherTest, AResultIsTheRecognisersOwn) {
  const std::shared_ptr<Recognizer> recognizer = testing::FakeRecognizer({});
  const auto expected = recognizer->Transcribe(testing::Tone(5, 700));
  Dispatcher dispatcher(recognizer, {});
  Gate gate;
  absl::StatusOr<Transcript> result;
  Dispatcher::Work work;
  work.input = testing::Tone(5, 700);
  work.on_done = [&](const absl::StatusOr<Transcript>& got) {
    result = got;
    gate.Open();
  };
  ASSERT_TRUE(dispatcher.Submit(std::move(work)).ok());
  gate.Wait();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->text, expected->text);
  EXPECT_EQ(result->file, "tone 5");
}

TEST_F(DispatcherTest, RunsNoMoreThanTheWindowAndWhatReachesBeyondIt) {
  Start({.window_seconds = 100});
  const std::vector<std::string> names = {"a1", "a2", "a3", "a4", "a5"};
  for (const std::string& name : names) Submit(name, 60);
  ASSERT_TRUE(recognizer_->HasBegun("a2"));
  for (const std::string& name : names) recognizer_->Finish(name, 60);
  EXPECT_EQ(recognizer_->most_running(), 2u);
  EXPECT_EQ(recognizer_->begun(), names);
  for (const std::string& name : names) EXPECT_THAT(results_.Codes(name), ElementsAre(absl::StatusCode::kOk));
}

TEST_F(DispatcherTest, ARecordingLongerThanTheWindowRunsAlone) {
  Start({.queue_seconds = 10'000, .window_seconds = 100});
  Submit("a1", 1000);
  Submit("a2", 1000);
  recognizer_->Finish("a1", 1000);
  recognizer_->Finish("a2", 1000);
  EXPECT_EQ(recognizer_->most_running(), 1u);
}

TEST_F(DispatcherTest, InteractiveRequestsAreNotHeldBackByBatchWorkThatRuns) {
  Start({.window_seconds = 100});
  Submit("a1", 1000);
  ASSERT_TRUE(recognizer_->HasBegun("a1"));
  Submit("a2", 10);
  Submit("b1", 10, Priority::kInteractive);
  recognizer_->Finish("b1", 10);
  EXPECT_THAT(recognizer_->begun(), ElementsAre("a1", "b1"));
}

TEST_F(DispatcherTest, InteractiveRequestsHoldEachOtherBack) {
  Start({.window_seconds = 100});
  const std::vector<std::string> names = {"a1", "a2", "a3"};
  for (const std::string& name : names) Submit(name, 100, Priority::kInteractive);
  for (const std::string& name : names) recognizer_->Finish(name, 100);
  EXPECT_EQ(recognizer_->most_running(), 1u);
}

TEST_F(DispatcherTest, TenantsTakeTurns) {
  Start(kOneAtATime);
  Block();
  for (const char* name : {"a1", "a2", "a3", "b1", "b2"}) Submit(name, 60);
  Submit("c1", 60, Priority::kInteractive);
  for (const char* name : {"c1", "blocker", "a1", "b1", "a2", "b2", "a3"}) recognizer_->Finish(name, 60);
  EXPECT_THAT(recognizer_->begun(), ElementsAre("blocker", "c1", "a1", "b1", "a2", "b2", "a3"));
}

TEST_F(DispatcherTest, RefusesAudioBeyondTheQueueAndKeepsTheLastPartForInteractiveRequests) {
  Start({.queue_seconds = 80, .interactive_share = 0.125, .window_seconds = 10});
  Submit("a1", 30);
  ASSERT_TRUE(recognizer_->HasBegun("a1"));
  Submit("a2", 40);
  const auto refused = dispatcher_->Submit(Work("b1", 1));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(refused.status()), AllOf(HasSubstr("b1"), HasSubstr("70 s of audio are there"),
                                               HasSubstr("70 s are allowed for batch requests")));
  Submit("b2", 10, Priority::kInteractive);
  EXPECT_EQ(dispatcher_->Submit(Work("b3", 1, Priority::kInteractive)).status().code(),
            absl::StatusCode::kResourceExhausted);
  recognizer_->Finish("a1", 30);
  Submit("b4", 20);
  EXPECT_THAT(results_.Codes("b1"), IsEmpty());
}

TEST_F(DispatcherTest, TakesARecordingLongerThanTheQueueWhenNothingElseIsThere) {
  Start({.queue_seconds = 80});
  Submit("a1", 1000);
  EXPECT_EQ(dispatcher_->Submit(Work("a2", 1)).status().code(), absl::StatusCode::kResourceExhausted);
  recognizer_->Finish("a1", 1000);
  Submit("a2", 1000);
}

TEST_F(DispatcherTest, RefusesSecondsThatAreNone) {
  Start({});
  for (const double seconds : {0.0, -1.0, std::nan(""), HUGE_VAL, 1e10}) {
    const auto refused = dispatcher_->Submit(Work("a1", seconds));
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument) << seconds;
  }
  EXPECT_EQ(dispatcher_->load().waiting + dispatcher_->load().running, 0);
}

TEST_F(DispatcherTest, LoadTellsWhatWaitsAndRuns) {
  Start({.queue_seconds = 500, .window_seconds = 50});
  Submit("a1", 60);
  ASSERT_TRUE(recognizer_->HasBegun("a1"));
  Submit("a2", 20);
  Submit("a3", 30);
  Dispatcher::Load load = dispatcher_->load();
  EXPECT_EQ(load.waiting, 2);
  EXPECT_EQ(load.running, 1);
  EXPECT_EQ(load.waiting_seconds, 50);
  EXPECT_EQ(load.running_seconds, 60);
  EXPECT_EQ(load.queue_seconds, 500);
  for (const char* name : {"a1", "a2", "a3"}) recognizer_->Finish(name, 33);
  load = dispatcher_->load();
  EXPECT_EQ(load.waiting + load.running, 0);
  EXPECT_EQ(load.waiting_seconds, 0);
  EXPECT_EQ(load.running_seconds, 0);
}

TEST_F(DispatcherTest, ARecordingThatIsLongerThanThoughtCountsAsLongAsItIsAndItsOwnProgressIsReported) {
  Start({.window_seconds = 100});
  std::vector<int64_t> reported;
  auto work = Work("a1", 1);
  work.options.progress = [&](const Progress& progress) { reported.push_back(progress.audio_ms_decoded); };
  Submit(std::move(work));
  recognizer_->Report("a1", {.audio_ms_decoded = 500});
  EXPECT_EQ(dispatcher_->load().running_seconds, 1);
  recognizer_->Report("a1", {.audio_ms_decoded = 100'000, .segments_found = 4, .segments_done = 1});
  EXPECT_EQ(dispatcher_->load().running_seconds, 100);
  EXPECT_THAT(reported, ElementsAre(500, 100'000));
  Submit("a2", 1);
  recognizer_->Finish("a1", 100);
  recognizer_->Finish("a2", 1);
  EXPECT_EQ(recognizer_->most_running(), 1u) << "the window was full";
}

TEST_F(DispatcherTest, ATenantThatSaidTooLittlePaysByWaiting) {
  Start(kOneAtATime);
  Block();
  for (const char* name : {"a1", "a2", "b1", "b2", "b3"}) Submit(name, 60);
  recognizer_->Finish("blocker", 1);
  recognizer_->Finish("a1", 180);
  for (const char* name : {"b1", "b2", "b3", "a2"}) recognizer_->Finish(name, 60);
  EXPECT_THAT(recognizer_->begun(), ElementsAre("blocker", "a1", "b1", "b2", "b3", "a2"));
}

TEST_F(DispatcherTest, ARecordingThatFailedCostsItsTenantOnlyWhatWasDecoded) {
  Start(kOneAtATime);
  Block();
  for (const char* name : {"a1", "a2", "a3", "b1"}) Submit(name, 60);
  recognizer_->Finish("blocker", 1);
  recognizer_->Fail("a1", absl::InvalidArgumentError("no audio stream"));
  for (const char* name : {"a2", "b1", "a3"}) recognizer_->Finish(name, 60);
  EXPECT_THAT(recognizer_->begun(), ElementsAre("blocker", "a1", "a2", "b1", "a3"));
  EXPECT_THAT(results_.Codes("a1"), ElementsAre(absl::StatusCode::kInvalidArgument));
}

TEST_F(DispatcherTest, WhatTheRecogniserHasNoRoomForIsTriedAgainInItsPlace) {
  Start({.window_seconds = 1000});
  recognizer_->Refuse({3, absl::ResourceExhaustedError("full")});
  for (const char* name : {"a1", "a2"}) Submit(name, 60);
  for (const char* name : {"a1", "a2"}) recognizer_->Finish(name, 60);
  EXPECT_THAT(recognizer_->begun(), ElementsAre("a1", "a2"));
  EXPECT_EQ(recognizer_->refused(), 3);
  EXPECT_THAT(results_.Codes("a1"), ElementsAre(absl::StatusCode::kOk));
  EXPECT_EQ(dispatcher_->load().running_seconds, 0);
}

TEST_F(DispatcherTest, WhatTheRecogniserHadNoRoomForIsTriedAgainWhenARecordingEnds) {
  Start({.window_seconds = 1000, .retry_interval = std::chrono::hours(1)});
  Submit("a1", 60);
  ASSERT_TRUE(recognizer_->HasBegun("a1"));
  recognizer_->Refuse({absl::ResourceExhaustedError("full")});
  Submit("a2", 60);
  ASSERT_TRUE(Eventually([&] { return recognizer_->refused() == 1 && dispatcher_->load().waiting == 1; }));
  recognizer_->Finish("a1", 60);
  recognizer_->Finish("a2", 60);
  EXPECT_THAT(results_.Codes("a2"), ElementsAre(absl::StatusCode::kOk));
}

TEST_F(DispatcherTest, WhatTheRecogniserRefusesCostsItsTenantNothing) {
  Start(kOneAtATime);
  Block();
  for (const char* name : {"a1", "a2", "a3", "b1"}) Submit(name, 60);
  recognizer_->Refuse({absl::InvalidArgumentError("max_segment_ms: 3")});
  for (const char* name : {"blocker", "a2", "b1", "a3"}) recognizer_->Finish(name, 60);
  EXPECT_THAT(recognizer_->begun(), ElementsAre("blocker", "a2", "b1", "a3"));
}

TEST_F(DispatcherTest, OptionsThatTheRecogniserRefusesEndThatRequestOnly) {
  Start(kOneAtATime);
  recognizer_->Refuse({absl::InvalidArgumentError("max_segment_ms: 3")});
  Submit("a1", 60);
  Submit("a2", 60);
  recognizer_->Finish("a2", 60);
  ASSERT_TRUE(results_.Ended("a1"));
  EXPECT_THAT(results_.Codes("a1"), ElementsAre(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(results_.MessageOf("a1"), "max_segment_ms: 3");
  EXPECT_THAT(results_.Codes("a2"), ElementsAre(absl::StatusCode::kOk));
}

TEST_F(DispatcherTest, RetryAfterIsTheTimeThatTheQueueTakes) {
  Start({.queue_seconds = 100'000, .window_seconds = 0.001});
  EXPECT_EQ(dispatcher_->RetryAfterSeconds(), 1);
  Block();
  EXPECT_EQ(dispatcher_->RetryAfterSeconds(), 1);
  Submit("a1", 300);
  const double first = dispatcher_->RetryAfterSeconds();
  EXPECT_GT(first, 1);
  Submit("a2", 300);
  EXPECT_GT(dispatcher_->RetryAfterSeconds(), 1.5 * first);
  recognizer_->Finish("blocker", 1e6);
  EXPECT_EQ(dispatcher_->RetryAfterSeconds(), 1) << "a million seconds at once is fast";
  Submit("b1", 80'000);
  EXPECT_LE(dispatcher_->RetryAfterSeconds(), 3600);
}

TEST_F(DispatcherTest, RetryAfterCountsAudioThatIsDoneThoughItsRecordingIsNot) {
  Start({.queue_seconds = 100'000, .window_seconds = 0.001});
  Block();
  Submit("a1", 600);
  const double before = dispatcher_->RetryAfterSeconds();
  recognizer_->Report("blocker", {.audio_ms_decoded = 2'000'000, .segments_found = 4, .segments_done = 2});
  EXPECT_LT(dispatcher_->RetryAfterSeconds(), before / 2);
}

TEST_F(DispatcherTest, RetryAfterCountsTheExcessOfARecordingLongerThanTheQueue) {
  Start({.queue_seconds = 100});
  Submit("a1", 10'000);
  EXPECT_GT(dispatcher_->RetryAfterSeconds(), 1);
}

}  // namespace
}  // namespace tutti
