#include "service/batch_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "service/file_lock.h"
#include "service/job_store.h"
#include "service/sqlite.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<std::string> kFormats = {"txt", "srt"};

class BatchJournalTest : public ::testing::Test {
 protected:
  std::unique_ptr<BatchJournal> Open() {
    auto journal = BatchJournal::Open(path_);
    EXPECT_TRUE(journal.ok()) << journal.status();
    return *std::move(journal);
  }
  // A journal with recordings /a and /b.
  std::unique_ptr<BatchJournal> Begun() {
    auto journal = Open();
    recordings_ = {{.path = "/a", .position = 0, .output = "a"}, {.path = "/b", .position = 1, .output = "b"}};
    EXPECT_EQ(journal->Begin({{"--model", "m"}}, recordings_, false, 1000), absl::OkStatus());
    return journal;
  }
  absl::Status Done(BatchJournal& journal, size_t index, const std::vector<std::string>& texts) {
    FinishedRecording finished;
    finished.id = recordings_[index].id;
    finished.file = {.size = 7, .mtime_ns = 8, .sha256 = "99"};
    finished.texts = texts;
    finished.audio_ms = 1500;
    BatchJournal::News news;
    news.finished.push_back(finished);
    return journal.Record(news, kFormats, 2000);
  }
  absl::Status Failed(BatchJournal& journal, size_t index, const absl::Status& status, int attempts) {
    FinishedRecording finished;
    finished.id = recordings_[index].id;
    finished.status = status;
    finished.attempts = attempts;
    BatchJournal::News news;
    news.finished.push_back(finished);
    return journal.Record(news, kFormats, 3000);
  }
  absl::Status Written(BatchJournal& journal, size_t index) {
    BatchJournal::News news;
    news.written.push_back(recordings_[index].id);
    return journal.Record(news, kFormats, 3000);
  }

  const testing::Folder folder_;
  const std::string path_ = folder_ / "job.db";
  std::vector<JournalRecording> recordings_;
};

TEST_F(BatchJournalTest, WhatWasRecordedIsThereAfterItIsOpenedAgain) {
  {
    const auto journal = Begun();
    ASSERT_EQ(Done(*journal, 0, {"text", ""}), absl::OkStatus());
    ASSERT_EQ(Written(*journal, 0), absl::OkStatus());
    ASSERT_EQ(Failed(*journal, 1, absl::NotFoundError("gone"), 2), absl::OkStatus());
  }
  const auto journal = BatchJournal::OpenToRead(path_);
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_EQ((*journal)->Settings()->at("--model"), "m");
  const auto rows = *(*journal)->Recordings();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].state, RecordingState::kDone);
  EXPECT_EQ(rows[0].output_state, OutputState::kWritten);
  EXPECT_EQ(rows[0].file.sha256, "99");
  EXPECT_EQ(rows[1].state, RecordingState::kFailed);
  EXPECT_EQ(rows[1].attempts, 2);
  EXPECT_EQ(rows[1].error, absl::NotFoundError("gone"));
  EXPECT_THAT(*(*journal)->Texts(rows[0].id, kFormats), ElementsAre("text", ""));
  EXPECT_TRUE(absl::IsNotFound((*journal)->Texts(rows[1].id, kFormats).status()));
  const auto run = *(*journal)->LastRun();
  EXPECT_EQ(run.started_ms, 1000);
  EXPECT_EQ(run.last_ms, 3000);
  EXPECT_EQ(run.ended_ms, 0);
  EXPECT_EQ(run.done, 1);
  EXPECT_EQ(run.audio_ms, 1500);
}

TEST_F(BatchJournalTest, ANewResultReplacesTheOldOneAndMakesItsFilesStale) {
  const auto journal = Begun();
  ASSERT_EQ(Done(*journal, 0, {"old", "old"}), absl::OkStatus());
  ASSERT_EQ(Written(*journal, 0), absl::OkStatus());
  ASSERT_EQ(Done(*journal, 0, {"new", "new"}), absl::OkStatus());
  EXPECT_THAT(*journal->Texts(recordings_[0].id, kFormats), ElementsAre("new", "new"));
  EXPECT_EQ((*journal->Recordings())[0].output_state, OutputState::kStale);
  EXPECT_EQ(journal->CountStates()->done, 1);
}

TEST_F(BatchJournalTest, AReaderSeesOneStateWhileTheOwnerGoesOn) {
  const auto owner = Begun();
  ASSERT_EQ(Done(*owner, 0, {"one", "one"}), absl::OkStatus());
  const auto reader = *BatchJournal::OpenToRead(path_);
  EXPECT_EQ(reader->CountStates()->done, 1);
  ASSERT_EQ(Done(*owner, 1, {"two", "two"}), absl::OkStatus());
  EXPECT_EQ(reader->CountStates()->done, 1);
  EXPECT_EQ((*BatchJournal::OpenToRead(path_))->CountStates()->done, 2);
}

TEST_F(BatchJournalTest, RetryTakesAllFailuresOrThoseNamedAndRefusesOthers) {
  const auto journal = Begun();
  for (const size_t index : {0, 1}) {
    ASSERT_EQ(Failed(*journal, index, absl::NotFoundError("x"), 3), absl::OkStatus());
  }
  EXPECT_TRUE(absl::IsNotFound(journal->Retry(std::vector<std::string>{"/a", "/c"}).status()));
  EXPECT_EQ(journal->CountStates()->failed, 2) << "nothing was changed";
  EXPECT_EQ(*journal->Retry(std::vector<std::string>{"/a"}), 1);
  EXPECT_EQ(*journal->Retry({}), 1);
  EXPECT_EQ((*journal->Recordings())[1].attempts, 0);
}

TEST_F(BatchJournalTest, BeginningAnewForgetsAllButWhatIsHandedIn) {
  const auto journal = Begun();
  const std::string id = journal->id();
  ASSERT_EQ(Done(*journal, 0, {"old", "old"}), absl::OkStatus());
  std::vector<JournalRecording> one = {{.path = "/b", .output = "b", .output_state = OutputState::kStale}};
  ASSERT_EQ(journal->Begin({{"--vad", "v"}}, one, true, 1), absl::OkStatus());
  EXPECT_THAT(*journal->Settings(), ElementsAre(std::pair<const std::string, std::string>("--vad", "v")));
  const auto rows = *journal->Recordings();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].output_state, OutputState::kStale);
  EXPECT_TRUE(absl::IsNotFound(journal->Texts(rows[0].id, kFormats).status()));
  EXPECT_EQ(journal->id(), id);
}

TEST_F(BatchJournalTest, OneOwnerAtATimeAndReadingNeedsAJournal) {
  EXPECT_TRUE(absl::IsNotFound(BatchJournal::OpenToRead(path_).status()));
  EXPECT_FALSE(FileLock::IsHeld(path_));
  {
    const auto journal = Open();
    EXPECT_TRUE(FileLock::IsHeld(path_));
    const auto second = BatchJournal::Open(path_);
    EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(Message(second.status()), HasSubstr("in use by another tutti"));
  }
  EXPECT_FALSE(FileLock::IsHeld(path_));
  const auto mode = std::filesystem::status(path_).permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(BatchJournalTest, WhatIsNoJournalOfOursIsRefusedAndLeftAsItIs) {
  const std::string text(5000, 'x');
  folder_.Write("job.db", text);
  EXPECT_TRUE(absl::IsDataLoss(BatchJournal::Open(path_).status()));
  EXPECT_EQ(testing::BytesOf(path_), text);

  const std::string service = folder_ / "service.db";
  ASSERT_TRUE(JobStore::Open(service).ok());
  EXPECT_THAT(Message(BatchJournal::Open(service).status()),
              HasSubstr("a database of another program; expected one of the journals of `tutti transcribe --job`"));

  const std::string later = folder_ / "later.db";
  ASSERT_TRUE(BatchJournal::Open(later).ok());
  ASSERT_EQ((*SqliteDatabase::Open(later, 0))->ExecuteScript("PRAGMA user_version = 7"), absl::OkStatus());
  for (const absl::Status& status : {BatchJournal::Open(later).status(), BatchJournal::OpenToRead(later).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(Message(status), HasSubstr("schema 7 of a later tutti; this one knows up to 1"));
  }
}

// A limit on file sizes in place of a full disk: the system refuses to write in the middle of a transaction.
TEST_F(BatchJournalTest, ATransactionThatHasNoRoomIsAnErrorAndLosesNothing) {
  const auto journal = Begun();
  ASSERT_EQ(Done(*journal, 0, {"small", "small"}), absl::OkStatus());
  absl::Status status;
  {
    const testing::FileSizeLimit limit(1 << 20);
    status = Done(*journal, 1, {std::string(4 << 20, 'x'), ""});
  }
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(Message(status), HasSubstr("job.db: "));
  EXPECT_EQ(journal->CountStates()->done, 1);
  EXPECT_THAT(*journal->Texts(recordings_[0].id, kFormats), ElementsAre("small", "small"));
  EXPECT_EQ(Done(*journal, 1, {std::string(4 << 20, 'x'), ""}), absl::OkStatus());
  EXPECT_EQ(journal->CountStates()->done, 2);
}

}  // namespace
}  // namespace tutti
