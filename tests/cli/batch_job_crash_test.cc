// kill -9 at each point between a result and its files, by running into it in a child process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "tests/cli/batch_job_fakes.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;

// Kills this process when it comes to the n-th sync point.
class KillAt final : public SyncPoints {
 public:
  explicit KillAt(int n) : left_(n) {}
  void At(std::string_view /*point*/) override {
    if (left_-- == 0) kill(getpid(), SIGKILL);
  }

 private:
  int left_;
};

// False when it ran to its end. Sound for a process of one thread only: the child goes on with C++ after fork.
bool KilledAt(JobSetup setup, int point) {
  const pid_t child = fork();
  if (child == 0) {
    KillAt kill_at(point);
    setup.sync_points = &kill_at;
    const JobRun run = RunJob(setup);
    _exit(run.status.ok() && run.result.output.ok() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << "point " << point;
  return WIFSIGNALED(status);
}

std::map<std::string, std::string> FilesOf(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    files.emplace(entry.path().filename(), testing::BytesOf(entry.path()));
  }
  return files;
}

class BatchJobCrashTest : public ::testing::Test {
 protected:
  // A job in a folder of its own.
  JobSetup Fresh() {
    const std::string folder = folder_ / std::to_string(++jobs_);
    return {.inputs = {folder_ / "in"}, .journal = folder + "/job.db", .output = folder + "/out"};
  }
  static void MakeFolder(const JobSetup& setup) { fs::create_directories(fs::path(setup.journal).parent_path()); }

  const testing::Folder folder_;
  int jobs_ = 0;
};

TEST_F(BatchJobCrashTest, KilledAtAnyTwoPointsTheNextRunGivesEveryOutputOnce) {
  folder_.Write("in/a.wav", "alpha");
  folder_.Write("in/b.wav", "bravo");
  const std::map<std::string, std::string> expected = {{"a.txt", "0 says alpha\n"}, {"b.txt", "0 says bravo\n"}};
  int points = 0;
  bool first_killed = true;
  for (int first = 0; first_killed; ++first) {
    bool second_killed = true;
    for (int second = 0; second_killed; ++second, ++points) {
      JobSetup setup = Fresh();
      setup.formats = {"txt"};  // the other test has two
      MakeFolder(setup);
      first_killed = KilledAt(setup, first);
      second_killed = first_killed && KilledAt(setup, second);
      const JobRun last = RunJob(setup);
      ASSERT_TRUE(last.status.ok()) << last.status;
      ASSERT_EQ(FilesOf(setup.output), expected) << "killed at points " << first << " and " << second;
      ASSERT_EQ(last.counts.done, 2);
      ASSERT_EQ(last.result.state.skipped + last.result.state.done, 2u);
      ASSERT_THAT(RunJob(setup).started, IsEmpty());
    }
  }
  EXPECT_GT(points, 30);
}

TEST_F(BatchJobCrashTest, KilledWhileAChangedRecordingIsDoneAgainItNeverKeepsTheOldOutput) {
  folder_.Write("in/b.wav", "bravo");
  bool killed = true;
  int point = 0;
  for (; killed; ++point) {
    folder_.Write("in/a.wav", "alpha");
    JobSetup setup = Fresh();
    MakeFolder(setup);
    RunJob(setup);
    folder_.Write("in/a.wav", "alpha, second take");
    killed = KilledAt(setup, point);
    RunJob(setup);
    const std::map<std::string, std::string> expected = {{"a.txt", "0 says alpha, second take\n"},
                                                         {"a.srt", "1 says alpha, second take\n"},
                                                         {"b.txt", "0 says bravo\n"},
                                                         {"b.srt", "1 says bravo\n"}};
    ASSERT_EQ(FilesOf(setup.output), expected) << "killed at point " << point;
  }
  EXPECT_GT(point, 5);
}

TEST_F(BatchJobCrashTest, AResultThatWasCommittedIsNotComputedAgain) {
  folder_.Write("in/a.wav", "alpha");
  JobSetup setup = Fresh();
  MakeFolder(setup);
  ASSERT_TRUE(KilledAt(setup, 1)) << "before_commit, then committed";
  EXPECT_FALSE(fs::exists(setup.output));
  EXPECT_THAT(RunJob(setup).started, IsEmpty());
  EXPECT_EQ(FilesOf(setup.output).size(), 2u);
}

}  // namespace
}  // namespace tutti
