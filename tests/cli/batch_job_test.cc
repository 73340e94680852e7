#include "cli/batch_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>

#include "tests/cli/batch_job_fakes.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BatchJobTest : public ::testing::Test {
 protected:
  BatchJobTest() {
    for (const char* name : {"a", "b", "c"}) Input(name, std::string("the text of ") + name);
  }

  void Input(const std::string& name, const std::string& text) { folder_.Write("in/" + name + ".wav", text); }
  // As after the clock went on, so that no test depends on the resolution of file times.
  void Age(const std::string& name, int seconds) {
    const std::string path = folder_ / ("in/" + name + ".wav");
    fs::last_write_time(path, fs::last_write_time(path) + std::chrono::seconds(seconds));
  }
  JobSetup Job() { return {.inputs = {folder_ / "in"}, .journal = folder_ / "job.db", .output = folder_ / "out"}; }
  JobRun Again() { return RunJob(Job()); }
  std::string Out(const std::string& name) { return testing::BytesOf(folder_ / ("out/" + name)); }

  const testing::Folder folder_;
};

TEST_F(BatchJobTest, ASecondRunTranscribesNothingAndSaysWhatWasThere) {
  const JobRun first = Again();
  ASSERT_TRUE(first.status.ok()) << first.status;
  EXPECT_THAT(first.started, ElementsAre("a.wav", "b.wav", "c.wav"));
  EXPECT_EQ(Out("b.srt"), "1 says the text of b\n");
  const JobRun second = Again();
  EXPECT_THAT(second.started, IsEmpty());
  EXPECT_EQ(second.result.state.skipped, 3u);
  EXPECT_EQ(second.result.state.files, 0u);
  EXPECT_EQ(second.counts.done, 3);
  EXPECT_EQ(second.counts.audio_ms, 3000);
}

TEST_F(BatchJobTest, NewRecordingsAreAddedAndOutputNamesStay) {
  Again();
  folder_.Write("in/a.mp3", "a as mp3");  // alone, OutputNames would call them a.wav and a.mp3
  const JobRun run = Again();
  EXPECT_THAT(run.started, ElementsAre("a.mp3"));
  EXPECT_EQ(Out("a.txt"), "0 says the text of a\n");
  EXPECT_EQ(Out("a.mp3.txt"), "0 says a as mp3\n");
  EXPECT_FALSE(fs::exists(folder_ / "out/a.wav.txt"));
}

TEST_F(BatchJobTest, AChangedRecordingIsDoneAgainWhetherItsSizeChangedOrNot) {
  Again();
  Input("a", "the TEXT of a");
  Age("a", 10);
  Input("b", "another");
  const JobRun run = Again();
  EXPECT_THAT(run.started, ElementsAre("a.wav", "b.wav"));
  EXPECT_EQ(Out("a.txt"), "0 says the TEXT of a\n");
  EXPECT_EQ(Out("b.srt"), "1 says another\n");
  EXPECT_THAT(Again().started, IsEmpty());
}

TEST_F(BatchJobTest, ATouchedRecordingIsReadOnceAndNotTranscribed) {
  Again();
  Age("b", 10);
  const JobRun run = Again();
  EXPECT_THAT(run.started, IsEmpty());
  EXPECT_EQ(run.result.state.skipped, 3u);
  EXPECT_EQ(run.result.state.files, 0u);
  struct stat info = {};
  ASSERT_EQ(stat((folder_ / "in/b.wav").c_str(), &info), 0);
  const auto rows = *(*BatchJournal::OpenToRead(folder_ / "job.db"))->Recordings();
  EXPECT_EQ(rows[1].file.mtime_ns / 1'000'000'000, info.st_mtim.tv_sec) << "so that it is not read a second time";
}

TEST_F(BatchJobTest, ARecordingThatChangesWhileItIsTranscribedIsDoneAgain) {
  JobSetup setup = Job();
  setup.on_start = [this](const std::string& path) {
    if (!path.ends_with("b.wav")) return;
    Input("b", "the Text of b");
    Age("b", 10);
  };
  RunJob(setup);
  EXPECT_EQ(Out("b.txt"), "0 says the text of b\n");
  EXPECT_THAT(Again().started, ElementsAre("b.wav"));
  EXPECT_EQ(Out("b.txt"), "0 says the Text of b\n");
}

TEST_F(BatchJobTest, ARemovedOutputIsMadeFromTheJournal) {
  Again();
  fs::remove(folder_ / "out/b.srt");
  fs::remove_all(folder_ / "in");  // not needed any more
  folder_.Write("list", (folder_ / "in/a.wav") + "\n" + (folder_ / "in/b.wav") + "\n");
  JobSetup setup = Job();
  setup.inputs = {"@" + (folder_ / "list")};
  const JobRun run = RunJob(setup);
  EXPECT_THAT(run.started, IsEmpty());
  EXPECT_EQ(run.result.state.failed, 0u);
  EXPECT_EQ(Out("b.srt"), "1 says the text of b\n");
}

TEST_F(BatchJobTest, AnOutputThatTheUserCorrectedIsLeftAlone) {
  Again();
  folder_.Write("out/b.txt", "corrected");
  Again();
  EXPECT_EQ(Out("b.txt"), "corrected");
}

TEST_F(BatchJobTest, AForeignOutputIsRefusedAndOwnOnesAreNot) {
  folder_.Write("out/b.txt", "mine");
  EXPECT_THAT(Message(Again().status), HasSubstr("b.txt exists: say --overwrite"));
  EXPECT_EQ(Out("b.txt"), "mine");
  fs::remove(folder_ / "out/b.txt");
  EXPECT_TRUE(Again().status.ok());
  EXPECT_TRUE(Again().status.ok());
}

TEST_F(BatchJobTest, ARecordingNamedTwiceHasTwoOutputs) {
  JobSetup setup = Job();
  setup.inputs = {folder_ / "in/a.wav", folder_ / "in/a.wav"};
  EXPECT_EQ(RunJob(setup).started.size(), 2u);
  size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "out")) files += entry.is_regular_file() ? 1 : 0;
  EXPECT_EQ(files, 4u);
  EXPECT_THAT(RunJob(setup).started, IsEmpty());
}

TEST_F(BatchJobTest, AnotherWorkingFolderAndSpellingIsTheSameRecording) {
  Again();
  JobSetup setup = Job();
  setup.inputs = {fs::relative(folder_ / "in").string()};
  setup.output = fs::relative(folder_ / "out").string();
  const JobRun run = RunJob(setup);
  ASSERT_TRUE(run.status.ok()) << run.status;
  EXPECT_THAT(run.started, IsEmpty());
}

TEST_F(BatchJobTest, OtherOptionsAreAnErrorThatNamesThemUnlessRestarted) {
  Again();
  JobSetup setup = Job();
  setup.settings = {{"--model", "n"}, {"--vad-chunk-size", "5"}};
  setup.formats = {"txt"};
  const JobRun refused = RunJob(setup);
  EXPECT_EQ(refused.status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(refused.status),
              AllOf(HasSubstr("--model is n (it was m)"), HasSubstr("--vad-chunk-size is 5 (it was not given)"),
                    HasSubstr("--format is txt (it was txt,srt)"), HasSubstr("--job-restart")));
  EXPECT_THAT(Again().started, IsEmpty()) << "the refusal changed nothing";

  setup = Job();
  setup.settings = {{"--model", "n"}};
  setup.restart = true;
  const JobRun restarted = RunJob(setup);
  ASSERT_TRUE(restarted.status.ok()) << "its own outputs may be replaced: " << restarted.status;
  EXPECT_EQ(restarted.started.size(), 3u);
  EXPECT_EQ(restarted.counts.done, 3);
}

TEST_F(BatchJobTest, OptionsMayChangeWhileNothingIsDone) {
  for (const char* name : {"a", "b", "c"}) Input(name, "bad");
  Again();
  JobSetup setup = Job();
  setup.settings = {{"--model", "n"}};
  const JobRun run = RunJob(setup);
  EXPECT_TRUE(run.status.ok()) << run.status;
  EXPECT_EQ(run.started.size(), 3u);
}

TEST_F(BatchJobTest, AFailedRecordingIsTriedInLaterRunsAsOftenAsRetriesSay) {
  Input("b", "bad");
  for (int run = 0; run < 3; ++run) {
    const JobRun tried = Again();
    EXPECT_EQ(tried.started.back(), run == 0 ? "c.wav" : "b.wav");
    EXPECT_EQ(tried.result.failed.size(), 1u);
  }
  const JobRun given_up = Again();
  EXPECT_THAT(given_up.started, IsEmpty());
  ASSERT_EQ(given_up.result.failed.size(), 1u);
  EXPECT_THAT(Message(given_up.result.failed[0].status),
              AllOf(HasSubstr("no audio stream"), HasSubstr("tried 3 times"), HasSubstr("tutti job retry")));
  EXPECT_EQ(given_up.counts.failed, 1);

  ASSERT_EQ(*(*BatchJournal::Open(folder_ / "job.db"))->Retry({}), 1);
  EXPECT_THAT(Again().started, ElementsAre("b.wav"));
  Input("b", "good now");
  EXPECT_THAT(Again().started, ElementsAre("b.wav"));
  EXPECT_EQ(Out("b.txt"), "0 says good now\n");
}

TEST_F(BatchJobTest, AChangedRecordingIsTriedThoughItHadFailedForGood) {
  Input("b", "bad");
  JobSetup setup = Job();
  setup.retries = 0;
  RunJob(setup);
  EXPECT_THAT(RunJob(setup).started, IsEmpty());
  Input("b", "repaired");
  EXPECT_THAT(RunJob(setup).started, ElementsAre("b.wav"));
  EXPECT_EQ(Out("b.txt"), "0 says repaired\n");
}

TEST_F(BatchJobTest, StandardOutputHasAllResultsInOrderInEachRun) {
  Input("b", "bad");
  JobSetup setup = Job();
  setup.output = "";
  setup.formats = {"txt"};
  const std::string all = "0 says the text of a\nfailed\n0 says the text of c\n";
  EXPECT_EQ(RunJob(setup).printed, all);
  const JobRun again = RunJob(setup);
  EXPECT_EQ(again.printed, all);
  EXPECT_THAT(again.started, ElementsAre("b.wav"));
}

TEST_F(BatchJobTest, TwoRunsAtOnceAreRefused) {
  JobSetup setup = Job();
  absl::Status second;
  setup.on_start = [&](const std::string&) { second = Again().status; };
  EXPECT_TRUE(RunJob(setup).status.ok());
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(second), HasSubstr("job.db: in use by another tutti"));
}

TEST_F(BatchJobTest, StandardInputIsRefused) {
  JobSetup setup = Job();
  setup.inputs = {"-"};
  EXPECT_THAT(Message(RunJob(setup).status), HasSubstr("cannot be read again"));
}

TEST_F(BatchJobTest, AnArgumentThatNamesNothingFailsAndIsNotKept) {
  JobSetup setup = Job();
  setup.inputs.push_back(folder_ / "*.flac");
  const JobRun run = RunJob(setup);
  EXPECT_EQ(run.result.failed.size(), 1u);
  EXPECT_EQ(run.counts.all(), 3);
  EXPECT_EQ(RunJob(setup).result.failed.size(), 1u);
}

TEST_F(BatchJobTest, AnOutputThatCannotBeWrittenStopsTheRunAndIsMadeByTheNext) {
  folder_.Write("out", "a file in the folder's place");
  const JobRun stopped = Again();
  EXPECT_THAT(Message(stopped.result.output), HasSubstr("out"));
  EXPECT_THAT(stopped.started, ElementsAre("a.wav"));
  fs::remove(folder_ / "out");
  EXPECT_THAT(Again().started, ElementsAre("b.wav", "c.wav"));
  EXPECT_EQ(Out("a.txt"), "0 says the text of a\n");
}

}  // namespace
}  // namespace tutti
