#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <thread>

#include "service/job_store.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

// One fixed-size line a report, so that a kill never leaves half of one: writes of this size to a pipe are atomic.
struct Report {
  char what = 0;  // 'a' added, 's' started, 'f' finished, '!' a broken promise
  std::array<char, 32> id{};
};

void Tell(int pipe, char what, std::string_view id) {
  Report report{.what = what};
  std::copy_n(id.begin(), report.id.size(), report.id.begin());
  if (write(pipe, &report, sizeof(report)) != sizeof(report)) _exit(3);
}

// Adds, starts and finishes jobs until it is killed, and tells each as soon as the store said that it is done.
[[noreturn]] void AddAndFinishJobs(const std::string& path, int pipe) {
  auto store = JobStore::Open(path);
  if (!store.ok()) _exit(2);
  std::string waiting;  // each second job stays queued for a while
  while (true) {
    Job job;
    job.id = JobStore::NewId();
    job.tenant = "anna";
    job.audio_path = "/spool/" + job.id;
    if (!(*store)->Add(job).ok()) Tell(pipe, '!', job.id);
    Tell(pipe, 'a', job.id);
    if (waiting.empty()) {
      waiting = job.id;
      continue;
    }
    for (const std::string& id : {job.id, waiting}) {
      if (!(*store)->Start(id, 1).ok()) Tell(pipe, '!', id);
      Tell(pipe, 's', id);
      if (!(*store)->Finish(id, "result of " + id, 2).ok()) Tell(pipe, '!', id);
      Tell(pipe, 'f', id);
      if ((*store)->Finish(id, "another result", 3).ok()) Tell(pipe, '!', id);
    }
    waiting.clear();
  }
}

// Sound for a process of one thread only: the child goes on with C++ after fork.
TEST(JobStoreCrashTest, AJobThatWasAddedOutlivesKill9InAStateThatWasTold) {
  const testing::Folder folder;
  const std::string path = folder / "jobs.db";
  std::mt19937 random(5);
  std::map<std::string, char> told;  // the last report of each
  for (int round = 0; round < 20; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(ends[0]);
      AddAndFinishJobs(path, ends[1]);
    }
    close(ends[1]);
    // Killed at some report, and then at any moment of what comes after it.
    const unsigned last = 1 + random() % 40;
    const auto pause = std::chrono::microseconds(random() % 3000);
    Report report;
    for (unsigned i = 0; read(ends[0], &report, sizeof(report)) == sizeof(report); ++i) {
      const std::string id(report.id.begin(), report.id.end());
      ASSERT_NE(report.what, '!') << "round " << round << ": the store broke a promise on " << id;
      told[id] = report.what;
      if (i + 1 == last) {
        std::this_thread::sleep_for(pause);
        ASSERT_EQ(kill(child, SIGKILL), 0);
      }
    }
    close(ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "round " << round << ": exit code " << WEXITSTATUS(status);

    const auto store = JobStore::Open(path);
    ASSERT_TRUE(store.ok()) << store.status();
    for (const auto& [id, what] : told) {
      const auto job = (*store)->Get(id, "anna");
      ASSERT_TRUE(job.ok()) << "round " << round << ": " << job.status();
      // What was told has happened; the one step after it may have happened, too.
      const JobState state = job->state;
      switch (what) {
        case 'a':
          EXPECT_TRUE(state == JobState::kQueued || state == JobState::kRunning) << Name(state);
          break;
        case 's':
          EXPECT_TRUE(state == JobState::kRunning || state == JobState::kDone) << Name(state);
          break;
        default:
          EXPECT_EQ(state, JobState::kDone) << Name(state);
      }
      EXPECT_EQ(job->result, state == JobState::kDone ? "result of " + id : "");
      EXPECT_EQ(job->audio_path.empty(), state == JobState::kDone);
    }
  }
  EXPECT_GT(told.size(), 20u);
}

}  // namespace
}  // namespace tutti
