#include <algorithm>
#include <cmath>
#include <numbers>

#include "frontend/fbank_kernel.h"

namespace tutti {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kSampleRate = 16000;
constexpr double kLowHz = 20;

double Mel(double hz) { return 1127.0 * std::log(1.0 + hz / 700.0); }

// e^(-2πik/points) for k = 0 … count-1.
void Roots(int points, int count, std::vector<float>& cosines, std::vector<float>& sines) {
  for (int k = 0; k < count; ++k) {
    cosines.push_back(static_cast<float>(std::cos(2 * kPi * k / points)));
    sines.push_back(static_cast<float>(-std::sin(2 * kPi * k / points)));
  }
}

}  // namespace

FbankTables::FbankTables(int frame_length_in, int frame_shift_in, int mels_in, float scale_in)
    : frame_length(frame_length_in), frame_shift(frame_shift_in), mels(mels_in), scale(scale_in) {
  for (int i = 0; i < frame_length; ++i) {
    window.push_back(static_cast<float>(0.54 - 0.46 * std::cos(2 * kPi * i / (frame_length - 1))));
  }
  for (int n = 0; n < kHalf; ++n) {
    int place = 0;
    for (int digit = 1; digit < kHalf; digit *= 4) place = place * 4 + n / digit % 4;
    reversed.push_back(place);
  }
  Roots(kHalf, kHalf, half_cos, half_sin);
  Roots(kPoints, kHalf / 2 + 1, whole_cos, whole_sin);

  const double low = Mel(kLowHz);
  const double step = (Mel(kSampleRate / 2) - low) / (mels + 1);
  first_weight.push_back(0);
  for (int m = 0; m < mels; ++m) {
    const double left = low + m * step, centre = left + step, right = centre + step;
    first_bin.push_back(0);
    for (int k = 0; k < kHalf; ++k) {
      const double mel = Mel(kSampleRate / kPoints * k);
      const double weight = std::min((mel - left) / (centre - left), (right - mel) / (right - centre));
      if (weight <= 0) continue;
      if (static_cast<int>(weights.size()) == first_weight.back()) first_bin.back() = k;
      weights.push_back(static_cast<float>(weight));
    }
    first_weight.push_back(static_cast<int>(weights.size()));
  }
}

}  // namespace tutti
