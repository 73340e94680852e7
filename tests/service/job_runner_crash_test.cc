#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "service/job_runner.h"
#include "service/job_spool.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

// Ends work on two threads of its own, the oldest first; work called poison kills the process, like a file on which a
// decoder crashes. After `works` ends, if not 0, it stands still: the rest is in flight when the kill comes.
class CrashingDispatcher {
 public:
  CrashingDispatcher(int pipe, int works) : pipe_(pipe), works_(works) {
    for (int i = 0; i < 2; ++i) std::thread([this] { Run(); }).detach();  // they end with the process
  }

  absl::StatusOr<std::shared_ptr<Dispatcher::Ticket>> Submit(Dispatcher::Work work) {
    const std::lock_guard lock(mu_);
    work_.push_back(std::move(work));
    changed_.notify_one();
    return std::make_shared<Ticket>();
  }

 private:
  struct Ticket final : Dispatcher::Ticket {
    void Cancel() override {}
  };

  void Run() {
    while (true) {
      Dispatcher::Work work;
      {
        std::unique_lock lock(mu_);
        changed_.wait(lock, [this] { return !work_.empty() && (works_ == 0 || begun_ < works_); });
        ++begun_;
        work = std::move(work_.front());
        work_.pop_front();
      }
      if (work.input.name() == "poison") raise(SIGKILL);
      Transcript transcript;
      transcript.text = work.input.name();
      work.on_done(transcript);
      if (write(pipe_, "x", 1) != 1) _exit(3);
    }
  }

  const int pipe_;
  const int works_;
  std::mutex mu_;
  int begun_ = 0;
  std::condition_variable changed_;
  std::deque<Dispatcher::Work> work_;
};

// A service without a network, until all jobs have ended. Writes a byte to the pipe for each that the engine has done.
[[noreturn]] void Serve(const std::string& folder, int pipe, int works) {
  const JobClock clock;
  CrashingDispatcher dispatcher(pipe, works);
  const auto store = JobStore::Open(folder + "/jobs.db");
  if (!store.ok()) _exit(2);
  JobRunner::Parts parts;
  parts.prepare = [&dispatcher](const Job& job) -> absl::StatusOr<JobRunner::Prepared> {
    JobRunner::Prepared prepared;
    prepared.work.input = AudioInput::Bytes(std::make_shared<std::string>(), job.file_name);
    prepared.submit = [&dispatcher](Dispatcher::Work work) { return dispatcher.Submit(std::move(work)); };
    return prepared;
  };
  parts.render = [](const Transcript& transcript) { return "\"" + transcript.text + "\""; };
  JobRunnerOptions options;
  options.spool = folder;
  const auto runner = JobRunner::Create(**store, clock, options, parts);
  if (!runner.ok()) _exit(2);
  while (true) {
    const auto counts = (*store)->counts();
    if (!counts.ok()) _exit(2);
    if (counts->queued + counts->running == 0 && (*runner)->running() == 0) _exit(0);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

class JobRunnerCrashTest : public ::testing::Test {
 protected:
  void Add(const std::string& name) {
    Job job;
    job.id = JobStore::NewId();
    job.tenant = jobs_.size() % 3 == 0 ? "anna" : "bert";
    job.file_name = name;
    job.created_ms = 1;
    job.audio_path = JobAudioPath(folder_.path(), job.id);
    folder_.Write("upload", "audio");
    ASSERT_EQ(KeepUpload(folder_ / "upload", job.audio_path), absl::OkStatus());
    ASSERT_EQ((*JobStore::Open(folder_ / "jobs.db"))->Add(job), absl::OkStatus());
    jobs_.push_back(job);
  }

  // One life of the service, killed from outside once the engine has done `kill_after` jobs, if not 0. Returns whether
  // it ended by itself. Sound for a process of one thread only: the child goes on with C++ after fork.
  bool Live(int kill_after = 0) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      Serve(folder_.path(), ends[1], kill_after);
    }
    close(ends[1]);
    char byte = 0;
    for (int done = 0; read(ends[0], &byte, 1) == 1;) {
      if (++done == kill_after) kill(child, SIGKILL);
    }
    close(ends[0]);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << "exit code " << WEXITSTATUS(status);
    return WIFEXITED(status);
  }

  Job Now(const Job& job) { return *(*JobStore::Open(folder_ / "jobs.db"))->Get(job.id, job.tenant); }

  int64_t AudioFiles() {
    int64_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      if (entry.path().extension() == ".audio") ++files;
    }
    return files;
  }

  testing::Folder folder_;
  std::vector<Job> jobs_;
};

TEST_F(JobRunnerCrashTest, AJobThatCrashesItsServerTakesNoOtherWithIt) {
  for (int i = 0; i < 5; ++i) Add(fmt::format("job {}", i));
  Add("poison");
  for (int i = 5; i < 10; ++i) Add(fmt::format("job {}", i));
  int crashes = 0;
  while (!Live()) ASSERT_LE(++crashes, 3) << "a job that was started three times is still run";
  EXPECT_EQ(crashes, 3);
  for (const Job& job : jobs_) {
    const Job now = Now(job);
    if (job.file_name == "poison") {
      EXPECT_EQ(now.state, JobState::kFailed);
      EXPECT_EQ(now.error_code, "ABORTED");
    } else {
      EXPECT_EQ(now.state, JobState::kDone) << job.file_name << ": " << now.error_message;
      EXPECT_EQ(now.result, "\"" + job.file_name + "\"");
    }
  }
  EXPECT_EQ(AudioFiles(), 0);
}

TEST_F(JobRunnerCrashTest, Kill9During100JobsLosesNoneAndEndsNoneTwice) {
  for (int i = 0; i < 100; ++i) Add(fmt::format("job {}", i));
  std::mt19937 random(11);
  int lives = 1;
  for (; !Live(lives <= 6 ? 1 + static_cast<int>(random() % 10) : 0); ++lives) ASSERT_LE(lives, 7);
  EXPECT_EQ(lives, 7);
  int64_t done = 0;
  for (const Job& job : jobs_) {
    const Job now = Now(job);
    if (now.state == JobState::kDone) {
      ++done;
      EXPECT_EQ(now.result, "\"" + job.file_name + "\"");
    } else {
      // It ran alone when the last of three kills came, so it looked like the culprit.
      EXPECT_EQ(now.error_code, "ABORTED") << job.file_name;
      EXPECT_EQ(now.attempts, 3);
    }
  }
  EXPECT_GE(done, 100 - 4) << "each kill from the third on may hit one that runs alone";
  EXPECT_EQ(AudioFiles(), 0);
}

}  // namespace
}  // namespace tutti
