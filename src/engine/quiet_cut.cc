#include "engine/quiet_cut.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tutti {
namespace {

constexpr int64_t kFrame = 160;          // 10 ms
constexpr int64_t kHalfWindow = 10;      // frames on either side of the cut
constexpr int64_t kFurthestBack = 1500;  // frames before the end

}  // namespace

int64_t QuietestCut(std::span<const float> samples) {
  const int64_t frames = static_cast<int64_t>(samples.size()) / kFrame;
  std::vector<double> energy_before = {0};  // of the frames before each
  for (int64_t frame = 0; frame < frames; ++frame) {
    double energy = 0;
    for (const float x : samples.subspan(static_cast<size_t>(frame * kFrame), kFrame)) {
      if (std::isfinite(x)) energy += static_cast<double>(x) * x;
    }
    energy_before.push_back(energy_before.back() + energy);
  }
  const int64_t last = frames - std::max(kHalfWindow, std::min<int64_t>(frames / 20, 50));
  const int64_t first = frames - std::max(kHalfWindow, std::min(frames / 3, kFurthestBack));
  const auto loudness = [&](int64_t cut) {
    return energy_before[static_cast<size_t>(cut + kHalfWindow)] -
           energy_before[static_cast<size_t>(cut - kHalfWindow)];
  };
  int64_t quietest = last;
  for (int64_t cut = last; cut >= first; --cut) {
    if (loudness(cut) < loudness(quietest)) quietest = cut;
  }
  return quietest * kFrame;
}

}  // namespace tutti
