#include "service/speed_meter.h"

#include <algorithm>
#include <cmath>

namespace tutti {
namespace {

constexpr double kMemorySeconds = 60;
constexpr double kSlowest = 0.001;  // keeps whoever divides by it out of trouble

}  // namespace

void SpeedMeter::Advance(Time now) {
  const double elapsed = std::chrono::duration<double>(now - advanced_).count();
  if (elapsed <= 0) return;
  advanced_ = now;
  if (!busy_) return;
  const double kept = std::exp(-elapsed / kMemorySeconds);
  audio_seconds_ *= kept;
  busy_seconds_ = busy_seconds_ * kept + kMemorySeconds * (1 - kept);
}

void SpeedMeter::SetBusy(bool busy, Time now) {
  Advance(now);
  busy_ = busy;
}

void SpeedMeter::Finished(double audio_seconds, Time now) {
  Advance(now);
  audio_seconds_ += std::max(audio_seconds, 0.0);
}

double SpeedMeter::XRealTime(Time now) {
  Advance(now);
  return std::max(audio_seconds_ / busy_seconds_, kSlowest);
}

}  // namespace tutti
