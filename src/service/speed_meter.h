#pragma once

#include <chrono>

namespace tutti {

// How many seconds of audio are finished in a second, on an exponential average over a minute of the time in which
// there was work: a pause says nothing about speed. Begins with a guess that a few seconds of work outweigh.
//
// Not thread-safe; its owner's lock guards it.
class SpeedMeter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  void SetBusy(bool busy, Time now);
  void Finished(double audio_seconds, Time now);
  double XRealTime(Time now);  // > 0

 private:
  void Advance(Time now);

  // The guess, ten times real time, is a second of work.
  double audio_seconds_ = 10, busy_seconds_ = 1;
  bool busy_ = false;
  Time advanced_;
};

}  // namespace tutti
