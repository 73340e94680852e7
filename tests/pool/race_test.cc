#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "tests/pool/fake_pool.h"

namespace tutti::testing {
namespace {

using std::chrono::milliseconds;

// Numbers that the test and all processes of a pool see.
struct SharedCounts {
  std::atomic<int> reached = 0;
  std::atomic<int> released = 0;
  static_assert(std::atomic<int>::is_always_lock_free);
};

// Runs a function at one place, in whatever process and thread that is: each process has a copy of this object, and
// one and the same counts.
class AtPoint final : public SyncPoints {
 public:
  AtPoint(std::string_view point, std::function<void(SharedCounts& counts)> then)
      : point_(point), then_(std::move(then)) {}
  ~AtPoint() override { munmap(memory_, sizeof(SharedCounts)); }
  AtPoint(const AtPoint&) = delete;
  AtPoint& operator=(const AtPoint&) = delete;

  void At(std::string_view point) override {
    if (point == point_) then_(*counts_);
  }
  SharedCounts& counts() { return *counts_; }
  bool reached() const { return counts_->reached > 0; }

 private:
  const std::string point_;
  const std::function<void(SharedCounts&)> then_;
  void* const memory_ = mmap(nullptr, sizeof(SharedCounts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  SharedCounts* const counts_ = new (memory_) SharedCounts;
};

void DieTheFirstTime(SharedCounts& counts) {
  if (counts.reached++ == 0) DieOf(SIGKILL);
}

// The first to come stays until it is released.
void StayTheFirstTime(SharedCounts& counts) {
  if (counts.reached++ > 0) return;
  while (counts.released == 0) std::this_thread::sleep_for(milliseconds(1));
}

PoolOptions WithPoint(AtPoint& point, int processes = 2) {
  PoolOptions options = FakePoolOptions();
  options.processes = processes;
  options.recognizer.sync_points = &point;
  return options;
}

std::string Expected(int64_t ms) { return Dump(FakeRecognizer(Threads(1))->Transcribe(Tone(1, ms))); }

TEST(ProcessPoolRace, AWorkerThatDiesBeforeItHasReadAnythingCostsATry) {
  AtPoint point("WorkerProcess:started", DieTheFirstTime);
  const auto pool = MakePool(WithPoint(point));
  EXPECT_EQ(Dump(pool->Transcribe(Tone(1, 700), {})), Expected(700));
  EXPECT_EQ(pool->pool_stats().retried, 1);
}

TEST(ProcessPoolRace, AWorkerThatDiesWhileItIsHandedARecordingCostsNothing) {
  const ProcessPool* the_pool = nullptr;
  AtPoint point("Supervisor:handing_out", [&the_pool](SharedCounts& counts) {
    if (counts.reached++ > 0) return;
    const auto worker = static_cast<pid_t>(the_pool->pool_stats().pids.at(0));
    kill(worker, SIGKILL);
    EXPECT_TRUE(Eventually([worker] { return kill(worker, 0) != 0; }));
  });
  const auto pool = MakePool(WithPoint(point, 1));
  the_pool = pool.get();
  ASSERT_TRUE(Eventually([&] { return pool->pool_stats().pids.size() == 1; }));
  EXPECT_EQ(Dump(pool->Transcribe(Tone(1, 700), {})), Expected(700));
  EXPECT_EQ(pool->pool_stats().died, 1);
  EXPECT_EQ(pool->pool_stats().retried, 0);
}

TEST(ProcessPoolRace, AResultThatWasWrittenAndNotToldIsMadeAgain) {
  AtPoint point("WorkerProcess:result_written", DieTheFirstTime);
  const auto pool = MakePool(WithPoint(point));
  EXPECT_EQ(Dump(pool->Transcribe(Tone(1, 700), {})), Expected(700));
  EXPECT_EQ(pool->pool_stats().retried, 1);
}

TEST(ProcessPoolRace, AResultThatWasToldBeforeTheDeathCounts) {
  AtPoint point("WorkerProcess:result_sent", DieTheFirstTime);
  const auto pool = MakePool(WithPoint(point));
  EXPECT_EQ(Dump(pool->Transcribe(Tone(1, 700), {})), Expected(700));
  ASSERT_TRUE(Eventually([&] { return pool->pool_stats().died == 1; }));
  EXPECT_EQ(pool->pool_stats().retried, 0);
}

// The front looks up only when both the result and the news of the death have come.
TEST(ProcessPoolRace, AResultAndADeathThatComeTogetherAreAResult) {
  AtPoint point("WorkerProcess:result_sent", DieTheFirstTime);
  class BothAtOnce final : public SyncPoints {
   public:
    explicit BothAtOnce(AtPoint& death) : death_(death) {}
    void At(std::string_view name) override {
      if (name == "WorkerProcess:result_sent") return death_.At(name);
      if (name != "Supervisor:reading" || !death_.reached() || std::exchange(waited_, true)) return;
      std::this_thread::sleep_for(milliseconds(300));
    }

   private:
    AtPoint& death_;
    bool waited_ = false;  // the supervisor's
  } both(point);
  PoolOptions options = WithPoint(point, 1);
  options.recognizer.sync_points = &both;
  const auto pool = MakePool(options);
  EXPECT_EQ(Dump(pool->Transcribe(Tone(1, 700), {})), Expected(700));
  ASSERT_TRUE(Eventually([&] { return pool->pool_stats().died == 1; }));
  EXPECT_EQ(pool->pool_stats().retried, 0);
}

TEST(ProcessPoolRace, ARecordingThatWaitsForABackOffIsCancelledAtOnce) {
  AtPoint point("WorkerProcess:started", DieTheFirstTime);
  PoolOptions options = WithPoint(point, 1);
  options.first_back_off = options.longest_back_off = std::chrono::hours(1);
  const auto pool = MakePool(options);
  const auto handle = Submit(*pool, Tone(1, 700));
  ASSERT_TRUE(Eventually([&] { return pool->pool_stats().retried == 1; }));
  EXPECT_FALSE(handle->done());
  handle->Cancel();
  EXPECT_TRUE(absl::IsCancelled(handle->Wait().status()));
}

TEST(ProcessPoolRace, ThePoolsEndDoesNotWaitForABackOff) {
  AtPoint point("WorkerProcess:started", DieTheFirstTime);
  PoolOptions options = WithPoint(point, 1);
  options.first_back_off = options.longest_back_off = std::chrono::hours(1);
  auto pool = MakePool(options);
  const auto handle = Submit(*pool, Tone(1, 700));
  ASSERT_TRUE(Eventually([&] { return pool->pool_stats().retried == 1; }));
  pool.reset();
  EXPECT_TRUE(absl::IsCancelled(handle->Wait().status()));
}

TEST(ProcessPoolRace, CancelledWhileItIsHandedOutARecordingHoldsUpNoOther) {
  AtPoint point("Supervisor:handing_out", StayTheFirstTime);
  const auto pool = MakePool(WithPoint(point, 1));
  const auto handle = Submit(*pool, Tone(1, 700));
  ASSERT_TRUE(Eventually([&] { return point.reached(); }));
  handle->Cancel();
  EXPECT_TRUE(absl::IsCancelled(handle->Wait().status()));
  point.counts().released = 1;
  EXPECT_EQ(Dump(pool->Transcribe(Tone(1, 900), {})), Expected(900));
  EXPECT_EQ(pool->pool_stats().died, 0);
}

TEST(ProcessPoolRace, ThePoolEndsWhileItHandsOut) {
  AtPoint point("Supervisor:handing_out", StayTheFirstTime);
  auto pool = MakePool(WithPoint(point, 1));
  const auto first = Submit(*pool, Tone(1, 700)), second = Submit(*pool, Tone(1, 900));
  ASSERT_TRUE(Eventually([&] { return point.reached(); }));
  std::thread end([&pool] { pool.reset(); });
  for (const auto& handle : {first, second}) EXPECT_TRUE(absl::IsCancelled(handle->Wait().status()));
  point.counts().released = 1;
  end.join();
}

}  // namespace
}  // namespace tutti::testing
