#include "cli/bench_loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <latch>
#include <numbers>
#include <numeric>
#include <random>
#include <thread>

#include "base/seconds.h"

namespace tutti {

LoopRate Repeat(int threads, double seconds, const std::function<void(int thread)>& round) {
  std::vector<double> rounds(static_cast<size_t>(threads)), took(static_cast<size_t>(threads));
  std::latch warm(threads);
  const auto work = [&](int thread) {
    round(thread);
    warm.arrive_and_wait();
    const auto start = std::chrono::steady_clock::now();
    const auto i = static_cast<size_t>(thread);
    do {
      round(thread);
      rounds[i] += 1;
      took[i] = SecondsSince(start);
    } while (took[i] < seconds);
  };
  std::vector<std::thread> pool;
  for (int thread = 0; thread < threads; ++thread) pool.emplace_back(work, thread);
  for (std::thread& thread : pool) thread.join();

  LoopRate rate;
  for (size_t i = 0; i < rounds.size(); ++i) {
    rate.rounds += rounds[i];
    rate.rounds_per_second += rounds[i] / took[i];
    rate.seconds = std::max(rate.seconds, took[i]);
  }
  return rate;
}

double SumOverThreads(int threads, const std::function<double(int thread)>& measure) {
  std::vector<double> values(static_cast<size_t>(threads));
  std::latch ready(threads);
  std::vector<std::thread> pool;
  for (int thread = 0; thread < threads; ++thread) {
    pool.emplace_back([&, thread] {
      ready.arrive_and_wait();
      values[static_cast<size_t>(thread)] = measure(thread);
    });
  }
  for (std::thread& thread : pool) thread.join();
  return std::accumulate(values.begin(), values.end(), 0.0);
}

std::vector<float> ArtificialSpeech(double seconds) {
  constexpr double kRate = 16000;
  std::mt19937 random(1);  // NOLINT: the same every time
  std::vector<float> samples(static_cast<size_t>(seconds * kRate));
  for (size_t i = 0; i < samples.size(); ++i) {
    const double t = static_cast<double>(i) / kRate;
    const bool speaks = std::fmod(t, 4.0) < 3.0;
    double voice = 0;
    for (int harmonic = 1; harmonic <= 8; ++harmonic) {
      voice += std::sin(2 * std::numbers::pi * 140 * harmonic * t) / harmonic;
    }
    const double syllables = 0.5 + 0.5 * std::sin(2 * std::numbers::pi * 4 * t);
    const double noise = static_cast<double>(random()) / 4294967296.0 - 0.5;
    samples[i] = static_cast<float>((speaks ? 0.1 * voice * syllables : 0) + 0.004 * noise);
  }
  return samples;
}

}  // namespace tutti
