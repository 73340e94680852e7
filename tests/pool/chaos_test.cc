#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <random>
#include <thread>

#include "tests/pool/fake_pool.h"

namespace tutti::testing {
namespace {

using std::chrono::milliseconds;

// Kills, stops and crashes workers at random until it is told to end; at least once.
class Killer {
 public:
  Killer(const ProcessPool& pool, uint32_t seed) : pool_(pool), random_(seed), thread_([this] { Run(); }) {}
  ~Killer() {
    stop_ = true;
    thread_.join();
  }
  int signals() const { return signals_; }

 private:
  void Run() {
    while (!stop_) {
      std::this_thread::sleep_for(milliseconds(20 + random_() % 80));
      const std::vector<int64_t> pids = pool_.pool_stats().pids;
      if (pids.empty()) continue;
      constexpr std::array kSignals = {SIGKILL, SIGSTOP, SIGSEGV};
      kill(static_cast<pid_t>(pids[random_() % pids.size()]), kSignals[random_() % kSignals.size()]);
      ++signals_;
    }
  }

  const ProcessPool& pool_;
  std::minstd_rand random_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> signals_ = 0;
  std::thread thread_;
};

TEST(ProcessPoolChaos, EveryResultComesOnceAndIsThatOfAQuietRun) {
  constexpr int kRecordings = 150;
  PoolOptions options = FakePoolOptions([](const ScatteredBatch&) { std::this_thread::sleep_for(milliseconds(10)); });
  options.on_log = nullptr;  // sanitizers have their say on each SIGSEGV
  options.processes = 4;
  options.retries = 1000;
  options.max_deaths_in_a_row = 1'000'000;
  options.silence = milliseconds(400);
  options.beat = milliseconds(50);
  const auto pool = MakePool(options);
  std::vector<std::atomic<int>> ended(kRecordings);
  std::vector<std::shared_ptr<Transcription>> handles;
  int signals = 0;
  {
    const Killer killer(*pool, 1);
    for (int i = 0; i < kRecordings; ++i) {
      handles.push_back(
          Submit(*pool, Tone(i, 200 + 20 * i), [&ended, i](const auto&) { ++ended[static_cast<size_t>(i)]; }));
    }
    for (const auto& handle : handles) handle->Wait();
    while (killer.signals() == 0) std::this_thread::sleep_for(milliseconds(1));
    signals = killer.signals();
  }
  const auto quiet = FakeRecognizer(Threads(2));
  for (int i = 0; i < kRecordings; ++i) {
    const auto at = static_cast<size_t>(i);
    EXPECT_EQ(ended[at], 1);
    EXPECT_EQ(Dump(handles[at]->Wait()), Dump(quiet->Transcribe(Tone(i, 200 + 20 * i))));
  }
  RecordProperty("signals", signals);
  RecordProperty("died", static_cast<int>(pool->pool_stats().died));
}

}  // namespace
}  // namespace tutti::testing
