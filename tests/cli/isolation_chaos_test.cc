// A job in processes, of which anyone may be killed, stopped or crashed at any time: workers, the process that holds
// the models, and the program itself, which is then run again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "tests/cli/process_tree.h"
#include "tests/cli/program.h"
#include "tests/support/eventually.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::ChildrenOf;
using testing::Eventually;
using testing::GrandchildrenOf;
using testing::IsAlive;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

const std::string kClips = TUTTI_SOURCE_DIR "/tests/data/fixtures/audio/";

// Sanitizers' programs are five to twenty times slower.
#ifdef __SANITIZE_THREAD__
constexpr int kChaosRecordings = 8;
#elif defined(__SANITIZE_ADDRESS__)
constexpr int kChaosRecordings = 20;
#else
constexpr int kChaosRecordings = 60;
#endif

// Signals what belongs to a program until it goes out of scope.
class Killer {
 public:
  Killer(pid_t program, unsigned seed) : program_(program), random_(seed), thread_([this] { Run(); }) {}
  ~Killer() {
    stop_ = true;
    thread_.join();
  }
  int signals() const { return signals_; }

 private:
  void Run() {
    constexpr int kSignals[] = {SIGKILL, SIGSEGV, SIGSTOP};
    while (!stop_) {
      std::this_thread::sleep_for(milliseconds(20 + random_() % 150));
      const bool workers = random_() % 5 > 0;
      const std::vector<pid_t> pids = workers ? GrandchildrenOf(program_) : ChildrenOf(program_);
      if (pids.empty()) continue;
      kill(pids[random_() % pids.size()], workers ? kSignals[random_() % std::size(kSignals)] : SIGKILL);
      ++signals_;
    }
  }

  const pid_t program_;
  std::minstd_rand random_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> signals_ = 0;
  std::thread thread_;
};

class IsolationChaosTest : public ::testing::Test {
 protected:
  IsolationChaosTest() {
    const std::string clips[] = {"clip_a.wav", "long.wav", "clip_b.wav"};
    fs::create_directories(folder_ / "in");
    for (int i = 0; i < kChaosRecordings; ++i) {
      fs::copy_file(kClips + clips[i % 3], folder_ / fmt::format("in/{:03}.wav", i));
    }
  }
  std::vector<std::string> Arguments(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {
        "transcribe", "--model",   "demo-paraformer", "--output",   folder_ / "out", "--format",
        "txt,srt",    "--summary", folder_ / "s",     "--progress", "none",          folder_ / "in"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::map<std::string, std::string> TakeOutputs() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(folder_ / "out")) {
      files.emplace(entry.path().filename(), testing::BytesOf(entry.path()));
    }
    fs::remove_all(folder_ / "out");
    return files;
  }
  Json Summary() const { return Json::parse(testing::BytesOf(folder_ / "s")); }

  const testing::Folder folder_;
};

const std::vector<std::string> kByProcesses = {"--isolation", "process", "--processes", "3", "--threads", "1"};

TEST_F(IsolationChaosTest, WhoeverIsKilledEveryOutputIsThereOnceAndByteForByteThatOfAQuietRun) {
  ASSERT_EQ(RunProgram(Arguments()).exit_code, 0);
  const auto quiet = TakeOutputs();
  ASSERT_EQ(quiet.size(), size_t{2} * kChaosRecordings);
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  std::vector<std::string> arguments = Arguments(kByProcesses);
  arguments.insert(arguments.end(), {"--job", folder_ / "job.db", "--retries", "1000", "--job-retries", "1000"});
  int signals = 0;
  bool finished = false;
  for (const auto end = Clock::now() + std::chrono::seconds(8); !finished && Clock::now() < end;) {
    Program program(arguments);
    const auto until = Clock::now() + milliseconds(300 + random() % 1200);
    std::vector<pid_t> all;
    {
      const Killer killer(program.pid(), static_cast<unsigned>(random()));
      while (Clock::now() < until && IsAlive(program.pid())) std::this_thread::sleep_for(milliseconds(5));
      all = GrandchildrenOf(program.pid());
      std::ranges::copy(ChildrenOf(program.pid()), std::back_inserter(all));
      program.Signal(SIGKILL);
      signals += killer.signals() + 1;
    }
    finished = program.Wait().exit_code == 0;
    EXPECT_TRUE(Eventually([&] { return std::ranges::none_of(all, IsAlive); })) << "processes outlive the program";
  }
  const Ended last = RunProgram(arguments);
  EXPECT_EQ(last.exit_code, 0) << last.err;
  EXPECT_EQ(TakeOutputs(), quiet) << "seed " << seed << ", " << signals << " signals";
  EXPECT_EQ(Summary()["job"]["done"], kChaosRecordings);
  RecordProperty("signals", signals);
}

TEST_F(IsolationChaosTest, WithoutAJobTheEndOfTheProcessThatHoldsTheModelsCostsNoRecording) {
  ASSERT_EQ(RunProgram(Arguments()).exit_code, 0);
  const auto quiet = TakeOutputs();
  Program program(Arguments(kByProcesses));
  pid_t nursery = 0;
  ASSERT_TRUE(Eventually([&] {
    for (const pid_t child : ChildrenOf(program.pid())) {
      if (!ChildrenOf(child).empty()) nursery = child;
    }
    return nursery != 0;
  }));
  kill(nursery, SIGKILL);
  const Ended ended = program.Wait();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(TakeOutputs(), quiet);
  EXPECT_EQ(Summary()["pool"]["reloaded"], 1);
}

// As Ctrl-C in a terminal does, the signal goes to all processes of the group.
TEST_F(IsolationChaosTest, CtrlCForAllProcessesKeepsWhatIsDoneAndLeavesNoProcess) {
  std::vector<std::string> arguments = Arguments(kByProcesses);
  arguments.insert(arguments.end(), {"--job", folder_ / "job.db"});
  Program program(arguments);
  while (!fs::exists(folder_ / "out") || fs::is_empty(folder_ / "out")) std::this_thread::sleep_for(milliseconds(2));
  std::vector<pid_t> all = GrandchildrenOf(program.pid());
  std::ranges::copy(ChildrenOf(program.pid()), std::back_inserter(all));
  for (const pid_t pid : all) kill(pid, SIGINT);
  program.Signal(SIGINT);
  const Ended ended = program.Wait();
  const int done = Summary()["job"]["done"];
  EXPECT_GT(done, 0);
  EXPECT_EQ(ended.exit_code, done == kChaosRecordings ? 0 : 130) << ended.err;
  EXPECT_EQ(Summary()["pool"]["died"], 0);
  EXPECT_TRUE(Eventually([&] { return std::ranges::none_of(all, IsAlive); }));
  EXPECT_EQ(TakeOutputs().size(), size_t{2} * static_cast<size_t>(done));
}

}  // namespace
}  // namespace tutti
