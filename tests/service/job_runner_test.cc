#include "service/job_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/sqlite.h"
#include "tests/service/job_fakes.h"

namespace tutti {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using testing::Eventually;
using ::testing::HasSubstr;
using testing::JobRunnerTest;

TEST_F(JobRunnerTest, ASubmittedJobEndsWithItsResultStoredAndItsAudioGone) {
  StartService();
  const Job job = Submit("a");
  ASSERT_TRUE(Eventually([&] { return dispatcher_.Has("a"); }));
  EXPECT_EQ(dispatcher_.TenantOf("a"), "anna");
  EXPECT_EQ(Now(job).state, JobState::kRunning);
  EXPECT_TRUE(std::filesystem::exists(job.audio_path));
  dispatcher_.End("a");
  ASSERT_TRUE(Becomes(job, JobState::kDone));
  EXPECT_EQ(Now(job).result, R"({"text":"a"})");
  EXPECT_EQ(Now(job).attempts, 1);
  EXPECT_EQ(Now(job).progress, 1);
  EXPECT_TRUE(AudioIsGone(job));
}

TEST_F(JobRunnerTest, AJobThatFailsSaysWhyByTheNameOfItsCode) {
  StartService();
  const Job job = Submit("a");
  dispatcher_.End("a", InvalidArgument("a: no audio stream"));
  ASSERT_TRUE(Becomes(job, JobState::kFailed));
  EXPECT_EQ(Now(job).error_code, "INVALID_ARGUMENT");
  EXPECT_EQ(Now(job).error_message, "a: no audio stream");
  EXPECT_TRUE(AudioIsGone(job));
}

TEST_F(JobRunnerTest, ParametersThatCannotBeUsedFailTheJob) {
  StartService();
  const Job job = Submit(MakeJob("a", "anna", "bad"));
  ASSERT_TRUE(Becomes(job, JobState::kFailed));
  EXPECT_EQ(Now(job).error_message, "parameters: bad");
}

TEST_F(JobRunnerTest, WhatTheDispatcherRefusesForGoodFails) {
  StartService();
  dispatcher_.Refuse(InvalidArgument("max_segment_ms: 0"));
  EXPECT_TRUE(Becomes(Submit("a"), JobState::kFailed));
}

TEST_F(JobRunnerTest, AFullQueueIsTriedAgainAfterAPauseAndDoesNotCountAsAStart) {
  StartService();
  dispatcher_.Refuse(ResourceExhausted("full"));
  const Job job = Submit("a");
  ASSERT_TRUE(Eventually([&] { return dispatcher_.submissions() == 1; }));
  ASSERT_TRUE(Becomes(job, JobState::kQueued));
  dispatcher_.Refuse(absl::OkStatus());
  ASSERT_TRUE(Eventually([&] { return runner_->running() == 0; }));
  Advance(options_.retry_pause);
  dispatcher_.End("a");
  ASSERT_TRUE(Becomes(job, JobState::kDone));
  EXPECT_EQ(Now(job).attempts, 1);
}

TEST_F(JobRunnerTest, AFullQueueIsTriedAgainWhenAnotherJobEnds) {
  StartService();
  Submit("a");
  ASSERT_TRUE(Eventually([&] { return dispatcher_.Has("a"); }));
  dispatcher_.Refuse(ResourceExhausted("full"));
  const Job waiting = Submit("b");
  ASSERT_TRUE(Eventually([&] { return dispatcher_.submissions() == 2 && runner_->running() == 1; }));
  dispatcher_.Refuse(absl::OkStatus());
  dispatcher_.End("a");
  dispatcher_.End("b");
  EXPECT_TRUE(Becomes(waiting, JobState::kDone));
}

TEST_F(JobRunnerTest, WhatTheDispatcherGivesBackIsQueuedAgain) {
  StartService();
  const Job job = Submit("a");
  dispatcher_.End("a", absl::CancelledError("the model is swapped"));
  ASSERT_TRUE(Becomes(job, JobState::kQueued));
  EXPECT_EQ(Now(job).attempts, 0);
  ASSERT_TRUE(Eventually([&] { return runner_->running() == 0; }));
  Advance(options_.retry_pause);
  dispatcher_.End("a");
  EXPECT_TRUE(Becomes(job, JobState::kDone));
}

TEST_F(JobRunnerTest, ProgressNeverGoesBackAndLeavesTheEndToTheResult) {
  StartService();
  const Job job = Submit(MakeJob("a", "anna", "10"));
  ASSERT_TRUE(Eventually([&] { return dispatcher_.Has("a"); }));
  EXPECT_EQ(Now(job).progress, 0);
  dispatcher_.Tell("a", {.audio_ms_decoded = 5000, .segments_found = 2, .segments_done = 1});
  EXPECT_DOUBLE_EQ(Now(job).progress, 0.25);
  dispatcher_.Tell("a", {.audio_ms_decoded = 5000, .segments_found = 4, .segments_done = 1});
  EXPECT_DOUBLE_EQ(Now(job).progress, 0.25);
  dispatcher_.Tell("a", {.audio_ms_decoded = 20'000, .segments_found = 4, .segments_done = 4});
  EXPECT_DOUBLE_EQ(Now(job).progress, 0.99);
  EXPECT_DOUBLE_EQ(runner_->List("anna", {}, 10, 1000)->at(0).progress, 0.99);
}

TEST_F(JobRunnerTest, ACancelledJobThatWaitsNeverRuns) {
  options_.max_running = 1;
  StartService();
  Submit("a");
  ASSERT_TRUE(Eventually([&] { return dispatcher_.Has("a"); }));
  const Job cancelled = Submit("b"), after = Submit("c");
  ASSERT_EQ(runner_->Cancel(cancelled.id, "anna"), absl::OkStatus());
  EXPECT_EQ(Now(cancelled).state, JobState::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(cancelled.audio_path));
  dispatcher_.End("a");
  dispatcher_.End("c");
  ASSERT_TRUE(Becomes(after, JobState::kDone));
  EXPECT_THAT(dispatcher_.order(), ElementsAre("a", "c"));
}

TEST_F(JobRunnerTest, ACancelledJobThatRunsIsStopped) {
  StartService();
  const Job job = Submit("a");
  ASSERT_TRUE(Eventually([&] { return dispatcher_.Has("a"); }));
  ASSERT_EQ(runner_->Cancel(job.id, "anna"), absl::OkStatus());
  EXPECT_EQ(Now(job).state, JobState::kCancelled);
  EXPECT_TRUE(Eventually([&] { return !dispatcher_.Has("a"); }));
  EXPECT_TRUE(AudioIsGone(job));
  EXPECT_EQ(runner_->Cancel(job.id, "anna").code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(JobRunnerTest, AnotherTenantCannotCancel) {
  StartService();
  const Job job = Submit("a");
  EXPECT_EQ(runner_->Cancel(job.id, "bert").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(runner_->Get(job.id, "bert").status().code(), absl::StatusCode::kNotFound);
  dispatcher_.End("a");
  EXPECT_TRUE(Becomes(job, JobState::kDone));
}

TEST_F(JobRunnerTest, ATenantWithManyJobsDelaysAnotherByOne) {
  options_.max_running = 1;
  StartService();
  for (const char* name : {"a1", "a2", "a3"}) Submit(MakeJob(name, "anna"));
  ASSERT_TRUE(Eventually([&] { return dispatcher_.Has("a1"); }));
  Submit(MakeJob("b1", "bert"));
  for (const char* name : {"a1", "b1", "a2", "a3"}) dispatcher_.End(name);
  EXPECT_THAT(dispatcher_.order(), ElementsAre("a1", "b1", "a2", "a3"));
}

TEST_F(JobRunnerTest, TheTenantWithTheLeastAudioRunningComesNext) {
  options_.max_running = 3;
  options_.max_running_seconds = 1000;
  StartService();
  runner_->Drain();
  for (const char* name : {"a1", "a2", "a3"}) Submit(MakeJob(name, "anna", "5"));
  for (const char* name : {"b1", "b2", "b3"}) Submit(MakeJob(name, "bert", "100"));
  Stop();  // and again, with all of them waiting
  StartService();
  ASSERT_TRUE(Eventually([&] { return dispatcher_.order().size() == 3; }));
  EXPECT_THAT(dispatcher_.order(), ElementsAre("a1", "b1", "a2"));
}

TEST_F(JobRunnerTest, NoMoreAudioIsWithTheDispatcherThanIsAllowed) {
  options_.max_running_seconds = 10;
  StartService();
  std::vector<Job> jobs;
  for (int i = 0; i < 6; ++i) jobs.push_back(Submit(MakeJob("job " + std::to_string(i), "anna", "4")));
  for (const Job& job : jobs) {
    dispatcher_.End(job.file_name);
    ASSERT_TRUE(Becomes(job, JobState::kDone));
  }
  EXPECT_EQ(dispatcher_.most_at_once(), 3u);  // 4 + 4 < 10, and the third goes beyond it
}

TEST_F(JobRunnerTest, ARestartRunsWhatWasQueuedAndWhatRan) {
  const Job running = Crashed(MakeJob("a"), 1);
  const Job queued = Crashed(MakeJob("b"), 0);
  StartService();
  for (const char* name : {"a", "b"}) dispatcher_.End(name);
  ASSERT_TRUE(Becomes(running, JobState::kDone));
  ASSERT_TRUE(Becomes(queued, JobState::kDone));
  EXPECT_EQ(Now(running).attempts, 2);
}

TEST_F(JobRunnerTest, AStopGivesRunningJobsBackWithoutAStart) {
  StartService();
  const Job job = Submit("a");
  ASSERT_TRUE(Eventually([&] { return dispatcher_.Has("a"); }));
  Stop();
  EXPECT_EQ(Now(job).state, JobState::kQueued);
  EXPECT_EQ(Now(job).attempts, 0);
  EXPECT_TRUE(std::filesystem::exists(job.audio_path));
  StartService();
  dispatcher_.End("a");
  EXPECT_TRUE(Becomes(job, JobState::kDone));
}

TEST_F(JobRunnerTest, ADrainedRunnerFinishesWhatRunsAndStartsNoMore) {
  options_.max_running = 1;
  StartService();
  const Job running = Submit("a"), waiting = Submit("b");
  ASSERT_TRUE(Eventually([&] { return dispatcher_.Has("a"); }));
  runner_->Drain();
  dispatcher_.End("a");
  ASSERT_TRUE(Becomes(running, JobState::kDone));
  ASSERT_TRUE(Eventually([&] { return runner_->running() == 0; }));
  Stop();
  EXPECT_EQ(Now(waiting).state, JobState::kQueued);
  EXPECT_THAT(dispatcher_.order(), ElementsAre("a"));
}

TEST_F(JobRunnerTest, AJobThatWasStartedThreeTimesWithoutAnEndIsLeftAlone) {
  const Job job = Crashed(MakeJob("a"), 3);
  StartService();
  EXPECT_EQ(Now(job).state, JobState::kFailed);
  EXPECT_EQ(Now(job).error_code, "ABORTED");
  EXPECT_EQ(Now(job).error_message, "crashed its server: 3 starts without an end");
  EXPECT_FALSE(std::filesystem::exists(job.audio_path));
  EXPECT_TRUE(Reported("crashed its server"));
  EXPECT_EQ(dispatcher_.submissions(), 0);
}

TEST_F(JobRunnerTest, AJobThatIsSuspectedOfCrashingRunsAlone) {
  std::vector<Job> jobs;
  for (const char* name : {"suspect 1", "innocent", "suspect 2"}) jobs.push_back(Crashed(MakeJob(name), 0));
  for (int crash = 0; crash < 2; ++crash) {
    ASSERT_TRUE(store_->Recover().ok());
    for (const Job& job : {jobs[0], jobs[2]}) ASSERT_EQ(store_->Start(job.id, 1), absl::OkStatus());
  }
  StartService();
  jobs.push_back(Submit("later"));
  for (const char* name : {"suspect 1", "suspect 2", "innocent", "later"}) dispatcher_.End(name);
  for (const Job& job : jobs) EXPECT_TRUE(Becomes(job, JobState::kDone));
  EXPECT_FALSE(dispatcher_.HadCompany("suspect 1"));
  EXPECT_FALSE(dispatcher_.HadCompany("suspect 2"));
}

TEST_F(JobRunnerTest, AudioThatNoJobRefersToIsRemovedAtTheStart) {
  const Job left_over = MakeJob("a");  // the service was killed before the job was stored
  const Job job = Crashed(MakeJob("b"), 1);
  StartService();
  EXPECT_FALSE(std::filesystem::exists(left_over.audio_path));
  EXPECT_TRUE(std::filesystem::exists(job.audio_path));
}

TEST_F(JobRunnerTest, EndedJobsAreRemovedAfterTheirRetention) {
  options_.retention = std::chrono::hours(2);
  StartService();
  const Job job = Submit("a");
  dispatcher_.End("a");
  ASSERT_TRUE(Becomes(job, JobState::kDone));
  const Job waiting = Submit("b");
  Advance(std::chrono::hours(2) + milliseconds(1));
  EXPECT_TRUE(Eventually([&] { return absl::IsNotFound(runner_->Get(job.id, "anna").status()); }));
  EXPECT_TRUE(runner_->Get(waiting.id, "anna").ok());
}

TEST_F(JobRunnerTest, AResultThatCannotBeStoredNowIsStoredLater) {
  StartService();
  const Job job = Submit("a");
  ASSERT_TRUE(Eventually([&] { return dispatcher_.Has("a"); }));
  const auto other = *SqliteDatabase::Open(folder_ / "jobs.db", 10'000);
  ASSERT_EQ(other->ExecuteScript("CREATE TRIGGER broken BEFORE UPDATE ON jobs WHEN new.state = 2 "
                                 "BEGIN SELECT raise(ABORT, 'no more room'); END"),
            absl::OkStatus());
  dispatcher_.End("a");
  ASSERT_TRUE(Reported("no more room"));
  EXPECT_TRUE(std::filesystem::exists(job.audio_path));
  ASSERT_EQ(other->ExecuteScript("DROP TRIGGER broken"), absl::OkStatus());
  ASSERT_TRUE(Eventually([&] {
    Advance(options_.retry_pause);
    return Now(job).state == JobState::kDone;
  }));
  EXPECT_EQ(Now(job).result, R"({"text":"a"})");
}

TEST_F(JobRunnerTest, AWebhookWithoutASecretIsRefused) {
  options_.webhooks.secret = "";
  StartService();
  Job job = MakeJob("a");
  job.webhook = "https://example.org/";
  const absl::Status status = runner_->Submit(job);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("security.webhook_secret"));
}

TEST_F(JobRunnerTest, TheEndOfAJobIsPosted) {
  StartService();
  Job done = MakeJob("a"), cancelled = MakeJob("b");
  done.webhook = "https://example.org/done";
  cancelled.webhook = "https://example.org/cancelled";
  Submit(done);
  dispatcher_.End("a");
  EXPECT_EQ(post_.At(0).url, "https://example.org/done");
  Submit(cancelled);
  ASSERT_EQ(runner_->Cancel(cancelled.id, "anna"), absl::OkStatus());
  EXPECT_EQ(post_.At(1).url, "https://example.org/cancelled");
}

TEST_F(JobRunnerTest, AWebhookThatWasNotDeliveredIsPostedAfterARestart) {
  StartService();
  Job job = MakeJob("a");
  job.webhook = "https://example.org/";
  Submit(job);
  dispatcher_.End("a");
  post_.At(0);
  Stop();
  StartService();
  post_.At(1).done(200);
  EXPECT_TRUE(Eventually([&] { return store_->UndeliveredWebhooks()->empty(); }));
}

TEST_F(JobRunnerTest, AClockThatJumpsLosesNoJobAndPostsNoneTwice) {
  constexpr auto kYears = std::chrono::hours(24 * 3650);
  options_.retention = std::chrono::hours(2);
  StartService();
  Job told = MakeJob("a");
  told.webhook = "https://example.org/";
  Submit(told);
  dispatcher_.End("a");
  post_.At(0).done(500);
  ASSERT_TRUE(Eventually([&] { return Now(told).webhook_tries == 1; }));
  const Job waiting = Submit("b");
  for (const auto jump : {kYears, -2 * kYears, kYears}) {
    clock_.Jump(jump);
    Advance(options_.sweep_pause);  // also the pause after the try in vain
    const Job while_away = Submit(MakeJob("c" + std::to_string(jump.count())));
    dispatcher_.End(while_away.file_name);
    ASSERT_TRUE(Becomes(while_away, JobState::kDone));
    EXPECT_EQ(Now(told).state, JobState::kDone) << jump.count();
    EXPECT_EQ(Now(waiting).state, JobState::kRunning) << jump.count();
    EXPECT_LE(post_.size(), 2U) << jump.count();
  }
  post_.At(1).done(200);
  ASSERT_TRUE(Eventually([&] { return store_->UndeliveredWebhooks()->empty(); }));
  dispatcher_.End("b");
  ASSERT_TRUE(Becomes(waiting, JobState::kDone));
  EXPECT_EQ(post_.size(), 2U);
  // The clock is right again, and so is retention.
  Advance(options_.retention + milliseconds(1));
  EXPECT_TRUE(Eventually([&] { return absl::IsNotFound(runner_->Get(told.id, "anna").status()); }));
}

TEST_F(JobRunnerTest, AudioIsCountedAfterARestartAndWhenItIsRemoved) {
  StartService();
  Submit("a");
  const Job cancelled = Submit(MakeJob("b"));
  ASSERT_TRUE(Eventually([&] { return dispatcher_.Has("a") && dispatcher_.Has("b"); }));
  EXPECT_EQ(audio_bytes_, 0) << "who submits it has counted it";
  Stop();
  StartService();
  EXPECT_EQ(audio_bytes_, 2 * 5);
  dispatcher_.End("a");
  EXPECT_TRUE(Eventually([&] { return audio_bytes_ == 5; }));
  ASSERT_EQ(runner_->Cancel(cancelled.id, "anna"), absl::OkStatus());
  EXPECT_TRUE(Eventually([&] { return audio_bytes_ == 0; }));
}

}  // namespace
}  // namespace tutti
