#include "frontend/log_mel.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "frontend/log_mel_kernel.h"

namespace tutti {
namespace {

constexpr double kDecades = 8;  // of the features' range
constexpr int64_t kCentre = LogMelTables::kPoints / 2;
constexpr int64_t kBlockFrames = 64;  // in work at a time
constexpr float kLoudest = 1e6F;      // far outside [-1, 1], so that no energy overflows

// Slaney's mel scale: linear to 1 kHz, logarithmic above.
constexpr double kHzPerMel = 200.0 / 3, kLogHz = 1000, kLogMel = kLogHz / kHzPerMel;
const double kLogStep = std::log(6.4) / 27;

double SlaneyMel(double hz) { return hz < kLogHz ? hz / kHzPerMel : kLogMel + std::log(hz / kLogHz) / kLogStep; }
double SlaneyHz(double mel) { return mel < kLogMel ? mel * kHzPerMel : kLogHz * std::exp(kLogStep * (mel - kLogMel)); }

// e^(-2πik/points) for k = 0 … count-1.
void UnitRoots(int points, int count, std::vector<float>& cosines, std::vector<float>& sines) {
  for (int k = 0; k < count; ++k) {
    const double angle = 2 * std::numbers::pi * k / points;
    cosines.push_back(static_cast<float>(std::cos(angle)));
    sines.push_back(static_cast<float>(-std::sin(angle)));
  }
}

}  // namespace

LogMelTables::LogMelTables(int64_t mels_in) : mels(mels_in) {
  for (int i = 0; i < kPoints; ++i) {
    window.push_back(static_cast<float>(0.5 - 0.5 * std::cos(2 * std::numbers::pi * i / kPoints)));
  }
  for (int n = 0; n < kHalf; ++n) {
    int place = 0, block = kHalf, rest = n;
    for (auto radix = kRadices.rbegin(); radix != kRadices.rend(); ++radix) {
      block /= *radix;
      place += rest % *radix * block;
      rest /= *radix;
    }
    reversed.push_back(place);
  }
  UnitRoots(kHalf, kHalf, half_cos, half_sin);
  UnitRoots(kPoints, kHalf / 2 + 1, whole_cos, whole_sin);

  constexpr double kNyquist = 8000;
  const double step = SlaneyMel(kNyquist) / static_cast<double>(mels + 1);
  first_weight.push_back(0);
  for (int64_t m = 0; m < mels; ++m) {
    const auto index = static_cast<double>(m);
    const double left = SlaneyHz(index * step), centre = SlaneyHz((index + 1) * step),
                 right = SlaneyHz((index + 2) * step);
    first_bin.push_back(0);
    for (int k = 0; k <= kHalf; ++k) {
      const double hz = kNyquist * k / kHalf;
      const double slope = std::min((hz - left) / (centre - left), (right - hz) / (right - centre));
      if (slope <= 0) continue;
      if (static_cast<int>(weights.size()) == first_weight.back()) first_bin.back() = k;
      weights.push_back(static_cast<float>(slope * 2 / (right - left)));  // each filter has the same area
    }
    first_weight.push_back(static_cast<int>(weights.size()));
  }
}

absl::StatusOr<std::shared_ptr<const LogMel>> LogMel::Create(int64_t mels) {
  if (mels != 80 && mels != 128) return InvalidArgument("log-mel features: {} mel filters, expected 80 or 128", mels);
  return std::shared_ptr<const LogMel>(new LogMel(mels));
}

LogMel::LogMel(int64_t mels) : mels_(mels), tables_(std::make_unique<LogMelTables>(mels)) {}
LogMel::~LogMel() = default;

void LogMel::Compute(std::span<const float> samples, std::vector<float>& rows) const {
  const auto count = static_cast<int64_t>(samples.size()), frames = Frames(count);
  if (frames == 0) return;
  const size_t used = rows.size();
  // The reference drops its last frame after it has taken the largest value.
  rows.resize(used + static_cast<size_t>((frames + 1) * mels_));
  float* const out = rows.data() + used;
  std::array<float, (kBlockFrames - 1) * kHop + LogMelTables::kPoints> block;
  float max = std::numeric_limits<float>::lowest();
  for (int64_t first = 0; first <= frames; first += kBlockFrames) {
    const int64_t some = std::min(kBlockFrames, frames + 1 - first);
    const int64_t begin = first * kHop - kCentre, length = (some - 1) * kHop + LogMelTables::kPoints;
    // Mirrored before the first sample; behind the last there are zeros, further than any frame reaches.
    for (int64_t i = 0; i < length; ++i) {
      const int64_t at = std::abs(begin + i);
      const float x = at < count ? samples[static_cast<size_t>(at)] : 0.0F;
      block[static_cast<size_t>(i)] = std::isfinite(x) ? std::clamp(x, -kLoudest, kLoudest) : 0.0F;
    }
    max = std::max(max, Log10MelEnergies(*tables_, block.data(), some, out + first * mels_));
  }
  rows.resize(used + static_cast<size_t>(frames * mels_));
  ScaleLogMel(max - static_cast<float>(kDecades), frames * mels_, rows.data() + used);
}

}  // namespace tutti
