#include "service/job_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "service/sqlite.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

Job NewJob(std::string tenant = "anna", int64_t created_ms = 1000) {
  Job job;
  job.id = JobStore::NewId();
  job.tenant = std::move(tenant);
  job.file_name = "talk.wav";
  job.audio_path = "/spool/job-" + job.id;
  job.parameters = R"({"vad":true})";
  job.created_ms = created_ms;
  return job;
}

class JobStoreTest : public ::testing::Test {
 protected:
  JobStoreTest() { Reopen(); }

  void Reopen() {
    store_.reset();
    auto store = JobStore::Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  Job Added(Job job) {
    EXPECT_EQ(store_->Add(job), absl::OkStatus());
    return job;
  }

  Job Running(Job job) {
    job = Added(std::move(job));
    EXPECT_EQ(store_->Start(job.id, 2000), absl::OkStatus());
    return job;
  }

  std::vector<std::string> Ids(const absl::StatusOr<std::vector<Job>>& jobs) {
    EXPECT_TRUE(jobs.ok()) << jobs.status();
    std::vector<std::string> ids;
    for (const Job& job : *jobs) ids.push_back(job.id);
    return ids;
  }

  testing::Folder folder_;
  const std::string path_ = folder_ / "jobs.db";
  std::unique_ptr<JobStore> store_;
};

TEST_F(JobStoreTest, GivesBackWhatWasAddedAfterItWasOpenedAgain) {
  Job job = NewJob();
  job.webhook = "https://example.org/hook";
  job.file_name = std::string("a\0b \xff.wav", 9);  // names are any bytes
  Added(job);
  Reopen();
  const auto found = store_->Get(job.id, "anna");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->id, job.id);
  EXPECT_EQ(found->tenant, "anna");
  EXPECT_EQ(found->state, JobState::kQueued);
  EXPECT_EQ(found->file_name, job.file_name);
  EXPECT_EQ(found->audio_path, job.audio_path);
  EXPECT_EQ(found->parameters, job.parameters);
  EXPECT_EQ(found->webhook, job.webhook);
  EXPECT_EQ(found->created_ms, 1000);
  EXPECT_EQ(found->started_ms, 0);
  EXPECT_EQ(found->attempts, 0);
}

TEST_F(JobStoreTest, ADoneJobHasItsResultAndNoAudio) {
  const Job job = Running(NewJob());
  ASSERT_EQ(store_->Finish(job.id, R"({"text":"hello"})", 3000), absl::OkStatus());
  const auto found = store_->Get(job.id, "anna");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->state, JobState::kDone);
  EXPECT_EQ(found->result, R"({"text":"hello"})");
  EXPECT_EQ(found->audio_path, "");
  EXPECT_EQ(found->started_ms, 2000);
  EXPECT_EQ(found->finished_ms, 3000);
  EXPECT_EQ(found->attempts, 1);
  EXPECT_EQ(found->progress, 1);
}

TEST_F(JobStoreTest, AResultIsWrittenOnce) {
  const Job job = Running(NewJob());
  ASSERT_EQ(store_->Finish(job.id, "1", 3000), absl::OkStatus());
  const absl::Status second = store_->Finish(job.id, "2", 3001);
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(second), HasSubstr("is done, expected running"));
  EXPECT_EQ(store_->Fail(job.id, "INTERNAL", "no", 3001).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store_->Cancel(job.id, "anna", 3001).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store_->Get(job.id, "anna")->result, "1");
}

TEST_F(JobStoreTest, AnotherTenantsJobIsNotFoundAndStays) {
  const Job job = Added(NewJob("anna"));
  EXPECT_EQ(store_->Get(job.id, "bert").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Cancel(job.id, "bert", 1).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Ids(store_->List("bert", {}, 10, kForever)), IsEmpty());
  EXPECT_EQ(store_->Get(job.id, "anna")->state, JobState::kQueued);
  EXPECT_EQ(Message(store_->Get(job.id, "bert").status()), "there is no job " + job.id);
  EXPECT_EQ(Message(store_->Cancel(job.id, "bert", 1)), "there is no job " + job.id);
}

TEST_F(JobStoreTest, AnUnknownJobCannotBeChanged) {
  const std::string id = JobStore::NewId();
  EXPECT_EQ(store_->Start(id, 1).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Requeue(id).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Finish(id, "", 1).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Fail(id, "", "", 1).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->WebhookTried(id).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->WebhookDelivered(id).code(), absl::StatusCode::kNotFound);
}

TEST_F(JobStoreTest, RefusesAnIdThatIsThere) {
  const Job job = Added(NewJob());
  EXPECT_EQ(store_->Add(job).code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(JobStoreTest, ListsTheNewestFirstAndPagesWithoutGaps) {
  std::vector<std::string> expected;
  for (const int64_t created : {10, 20, 20, 20, 30, 40}) expected.push_back(Added(NewJob("anna", created)).id);
  Added(NewJob("bert", 25));
  std::reverse(expected.begin(), expected.end());
  std::vector<std::string> found;
  int64_t before = kForever;
  for (int page = 0; page < 10; ++page) {
    const auto jobs = store_->List("anna", {}, 2, before);
    ASSERT_TRUE(jobs.ok()) << jobs.status();
    if (jobs->empty()) break;
    for (const Job& job : *jobs) found.push_back(job.id);
    before = jobs->back().created_ms;
  }
  EXPECT_EQ(found, expected);
}

TEST_F(JobStoreTest, ListsOneStateWithoutResults) {
  const Job done = Running(NewJob("anna", 1));
  const Job queued = Added(NewJob("anna", 2));
  ASSERT_EQ(store_->Finish(done.id, "{}", 3), absl::OkStatus());
  EXPECT_THAT(Ids(store_->List("anna", JobState::kQueued, 5, kForever)), ElementsAre(queued.id));
  const auto jobs = store_->List("anna", JobState::kDone, 5, kForever);
  EXPECT_THAT(Ids(jobs), ElementsAre(done.id));
  EXPECT_EQ(jobs->front().result, "");
}

TEST_F(JobStoreTest, ALimitBelowOneIsRefused) {
  EXPECT_EQ(store_->List("anna", {}, 0, kForever).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(JobStoreTest, RecoverQueuesWhatWasRunningAgainOldestFirstAndKeepsTheCountOfStarts) {
  const Job running = Running(NewJob("anna", 20)), waiting = Added(NewJob("bert", 10)), done = Running(NewJob());
  ASSERT_EQ(store_->Finish(done.id, "{}", 3), absl::OkStatus());
  Reopen();
  const auto jobs = store_->Recover();
  EXPECT_THAT(Ids(jobs), ElementsAre(waiting.id, running.id));
  EXPECT_EQ(jobs->at(1).attempts, 1);
  EXPECT_EQ(jobs->at(1).state, JobState::kQueued);
}

TEST_F(JobStoreTest, AJobThatWasPutBackHasNotBeenStarted) {
  const Job job = Running(NewJob());
  ASSERT_EQ(store_->Requeue(job.id), absl::OkStatus());
  EXPECT_EQ(store_->Get(job.id, "anna")->attempts, 0);
  EXPECT_EQ(store_->Get(job.id, "anna")->started_ms, 0);
  EXPECT_EQ(store_->Requeue(job.id).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(JobStoreTest, EndedJobsAreToldOnceAndRunningOnesNever) {
  Job told = NewJob(), waiting = NewJob(), silent = NewJob();
  told.webhook = waiting.webhook = "https://example.org/";
  for (const Job& job : {told, waiting, silent}) Running(job);
  for (const Job& job : {told, silent}) ASSERT_EQ(store_->Finish(job.id, "{}", 3), absl::OkStatus());
  EXPECT_THAT(Ids(store_->UndeliveredWebhooks()), ElementsAre(told.id));
  ASSERT_EQ(store_->WebhookTried(told.id), absl::OkStatus());
  Reopen();
  EXPECT_EQ(store_->UndeliveredWebhooks()->at(0).webhook_tries, 1);
  ASSERT_EQ(store_->WebhookDelivered(told.id), absl::OkStatus());
  EXPECT_THAT(Ids(store_->UndeliveredWebhooks()), IsEmpty());
}

TEST_F(JobStoreTest, RemovesJobsThatEndedBeforeATimeAndNoOther) {
  const Job old = Running(NewJob()), young = Running(NewJob()), waiting = Added(NewJob("anna", 1));
  ASSERT_EQ(store_->Fail(old.id, "INTERNAL", "broken", 10), absl::OkStatus());
  ASSERT_EQ(store_->Finish(young.id, "{}", 20), absl::OkStatus());
  EXPECT_EQ(*store_->RemoveEndedBefore(20), 1);
  EXPECT_EQ(store_->Get(old.id, "anna").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(store_->Get(young.id, "anna").ok());
  EXPECT_TRUE(store_->Get(waiting.id, "anna").ok());
}

TEST_F(JobStoreTest, IdsAreRandomHexadecimalDigits) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(JobStore::NewId());
  EXPECT_EQ(ids.size(), 1000u);
  for (const std::string& id : ids) ASSERT_THAT(id, MatchesRegex("[0-9a-f]{32}"));
}

TEST_F(JobStoreTest, OfManyWhoEndAJobAtOnceOneDoes) {
  std::vector<Job> jobs;
  for (int i = 0; i < 20; ++i) jobs.push_back(Running(NewJob()));
  std::atomic<int> ended = 0;
  std::vector<std::thread> threads;
  for (int who = 0; who < 4; ++who) {
    threads.emplace_back([&, who] {
      for (const Job& job : jobs) {
        const absl::Status status =
            who % 2 == 0 ? store_->Finish(job.id, std::to_string(who), 3) : store_->Cancel(job.id, job.tenant, 3);
        if (status.ok()) {
          ++ended;
        } else {
          EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ended, 20);
  const auto counts = store_->counts();
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->done + counts->cancelled, 20);
  EXPECT_EQ(counts->running, 0);
}

TEST_F(JobStoreTest, OnlyItsOwnerMayReadTheFile) {
  Added(NewJob());
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    struct stat info {};
    ASSERT_EQ(stat((path_ + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << suffix;
  }
}

TEST_F(JobStoreTest, ASecondServiceIsToldThatTheFileIsInUse) {
  const auto second = JobStore::Open(path_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(second.status()), HasSubstr("jobs.db: in use by another tutti"));
}

TEST(JobStoreOpenTest, AFileThatIsNoDatabaseSaysSo) {
  const testing::Folder folder;
  const std::string path = folder.Write("jobs.db", std::string(4096, 'x'));
  const auto store = JobStore::Open(path);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kDataLoss) << store.status();
  EXPECT_THAT(Message(store.status()), HasSubstr("jobs.db: file is not a database"));
  EXPECT_EQ(testing::BytesOf(path), std::string(4096, 'x')) << "left as it was";
}

TEST(JobStoreOpenTest, ADamagedDatabaseSaysSo) {
  const testing::Folder folder;
  const std::string path = folder / "jobs.db";
  ASSERT_TRUE(JobStore::Open(path).ok());
  std::string bytes = testing::BytesOf(path);
  std::fill(bytes.begin() + 100, bytes.end(), 'x');
  folder.Write("jobs.db", bytes);
  const auto store = JobStore::Open(path);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kDataLoss) << store.status();
}

TEST(JobStoreOpenTest, ALaterSchemaSaysSo) {
  const testing::Folder folder;
  const std::string path = folder / "jobs.db";
  ASSERT_TRUE(JobStore::Open(path).ok());
  ASSERT_EQ((*SqliteDatabase::Open(path, 0))->ExecuteScript("PRAGMA user_version = 7"), absl::OkStatus());
  const auto store = JobStore::Open(path);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(store.status()), HasSubstr("schema 7 of a later tutti; this one knows up to 1"));
}

TEST(JobStoreOpenTest, AnotherProgramsDatabaseIsLeftAlone) {
  const testing::Folder folder;
  const std::string path = folder / "jobs.db";
  ASSERT_EQ((*SqliteDatabase::Open(path, 0))->ExecuteScript("CREATE TABLE recipes (name TEXT)"), absl::OkStatus());
  const auto store = JobStore::Open(path);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(store.status()), HasSubstr("a database of another program"));
}

TEST(JobStoreOpenTest, AMissingFolderSaysSo) {
  const testing::Folder folder;
  const auto store = JobStore::Open(folder / "missing/jobs.db");
  EXPECT_EQ(store.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(store.status()), HasSubstr("missing/jobs.db.lock: cannot open: No such file or directory"));
}

TEST(JobStateTest, NamesAreReadBack) {
  for (const JobState state :
       {JobState::kQueued, JobState::kRunning, JobState::kDone, JobState::kFailed, JobState::kCancelled}) {
    EXPECT_EQ(*ParseJobState(Name(state)), state);
  }
  EXPECT_THAT(Message(ParseJobState("Done").status()), HasSubstr("'Done', expected queued, running"));
}

TEST_F(JobStoreTest, AFullDiskRefusesANewJobAndLosesNone) {
  const Job before = NewJob();
  ASSERT_EQ(store_->Add(before), absl::OkStatus());
  const Job refused = NewJob();
  {
    const testing::FileSizeLimit full(4096);
    EXPECT_FALSE(store_->Add(refused).ok());
    EXPECT_FALSE(store_->Start(before.id, 1).ok());
    EXPECT_EQ(store_->Get(before.id, before.tenant)->state, JobState::kQueued);
  }
  EXPECT_TRUE(absl::IsNotFound(store_->Get(refused.id, refused.tenant).status()));
  EXPECT_EQ(store_->Add(refused), absl::OkStatus());
  EXPECT_EQ(store_->Start(before.id, 1), absl::OkStatus());
}

}  // namespace
}  // namespace tutti
