#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/sync_point.h"

namespace tutti::testing {

// Forces an interleaving of threads that reach sync points: in each round every thread that is still at work runs to
// its next point; when all stand there, they go on one at a time, each up to its next point, in the order chosen. So
// all have done what lies before a point when the first does what lies behind it.
//
// Thread-safe.
class Interleaver {
 public:
  enum class Order { kAscending, kDescending, kShuffled };

  Interleaver(int threads, Order order, uint32_t seed = 1) : order_(order), random_(seed), working_(threads) {}

  // Runs job(thread, its sync points) on one thread each and waits for all. Returns how often a point was reached.
  template <typename Job>
  static int64_t Run(int threads, Order order, uint32_t seed, Job job) {
    Interleaver interleaver(threads, order, seed);
    std::vector<std::thread> workers;
    for (int i = 0; i < threads; ++i) {
      workers.emplace_back([&interleaver, &job, i] {
        Points points(interleaver, i);
        job(i, &points);
        interleaver.Leave(i);
      });
    }
    for (std::thread& worker : workers) worker.join();
    MutexLock lock(interleaver.mu_);
    return interleaver.reached_;
  }

  void Arrive(int thread) TUTTI_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (running_ == thread) running_ = kNobody;
    arrived_.push_back(thread);
    ++reached_;
    Next();
    while (running_ != thread) changed_.Wait(mu_);
  }

  // The thread reaches no more points.
  void Leave(int thread) TUTTI_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (running_ == thread) running_ = kNobody;
    --working_;
    Next();
  }

 private:
  static constexpr int kNobody = -1;

  class Points : public SyncPoints {
   public:
    Points(Interleaver& interleaver, int thread) : interleaver_(interleaver), thread_(thread) {}
    void At(std::string_view) override { interleaver_.Arrive(thread_); }

   private:
    Interleaver& interleaver_;
    const int thread_;
  };

  void Next() TUTTI_REQUIRES(mu_) {
    if (running_ != kNobody) return;
    if (round_.empty()) {
      if (arrived_.empty() || static_cast<int>(arrived_.size()) < working_) return;
      round_.swap(arrived_);
      // Taken from the back.
      std::sort(round_.begin(), round_.end(), std::greater<>());
      if (order_ == Order::kDescending) std::reverse(round_.begin(), round_.end());
      if (order_ == Order::kShuffled) std::shuffle(round_.begin(), round_.end(), random_);
    }
    running_ = round_.back();
    round_.pop_back();
    changed_.NotifyAll();
  }

  const Order order_;

  Mutex mu_;
  CondVar changed_;
  std::mt19937 random_ TUTTI_GUARDED_BY(mu_);
  int working_ TUTTI_GUARDED_BY(mu_);
  int running_ TUTTI_GUARDED_BY(mu_) = kNobody;
  int64_t reached_ TUTTI_GUARDED_BY(mu_) = 0;
  std::vector<int> arrived_ TUTTI_GUARDED_BY(mu_);  // wait for the next round
  std::vector<int> round_ TUTTI_GUARDED_BY(mu_);    // wait for their turn
};

}  // namespace tutti::testing
