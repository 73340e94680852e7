#pragma once

#include <functional>
#include <vector>

namespace tutti {

struct LoopRate {
  double rounds_per_second = 0;  // of all threads together
  double rounds = 0;
  double seconds = 0;  // until the last thread was done
};

// Runs `round` on each of `threads` threads, once to warm up, then again and again for `seconds`, at least once. Each
// thread's rate is taken over its own time, so that a long last round counts in full.
LoopRate Repeat(int threads, double seconds, const std::function<void(int thread)>& round);

// The same with a number for each thread that `measure` gives, added up.
double SumOverThreads(int threads, const std::function<double(int thread)>& measure);

// Something like speech: bursts of a buzzing voice in noise, with pauses. The same every time.
std::vector<float> ArtificialSpeech(double seconds);

}  // namespace tutti
