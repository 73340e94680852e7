#include "engine/quiet_cut.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

namespace tutti {
namespace {

std::vector<float> Noise(int64_t ms) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> value(-0.5F, 0.5F);
  std::vector<float> samples(static_cast<size_t>(ms * 16));
  for (float& x : samples) x = value(random);
  return samples;
}

void Silence(int64_t from_ms, int64_t to_ms, std::vector<float>& samples) {
  std::fill(samples.begin() + from_ms * 16, samples.begin() + to_ms * 16, 0.0F);
}

TEST(QuietCutTest, CutsInTheMiddleOfAPause) {
  auto samples = Noise(30'000);
  Silence(25'000, 25'200, samples);
  EXPECT_EQ(QuietestCut(samples), 25'100 * 16);
}

TEST(QuietCutTest, APauseTooFarFromTheLimitDoesNotCount) {
  auto samples = Noise(60'000);
  Silence(20'000, 22'000, samples);
  Silence(50'000, 50'200, samples);
  EXPECT_EQ(QuietestCut(samples), 50'100 * 16);
}

TEST(QuietCutTest, OfEqualPlacesTheLatestIsTaken) {
  auto samples = Noise(30'000);
  Silence(22'000, 22'200, samples);
  Silence(26'000, 26'200, samples);
  EXPECT_EQ(QuietestCut(samples), 26'100 * 16);
}

TEST(QuietCutTest, LeavesMoreThanAClickToTheNextSegment) {
  auto samples = Noise(30'000);
  Silence(29'000, 30'000, samples);
  EXPECT_EQ(QuietestCut(samples), 29'500 * 16);
}

TEST(QuietCutTest, ASecondIsLongEnoughToBeCut) {
  for (int64_t ms : {1000, 1001, 1500, 2000}) {
    const int64_t cut = QuietestCut(Noise(ms));
    EXPECT_GE(cut, ms * 16 / 2) << ms;
    EXPECT_LE(cut, (ms - 100) * 16) << ms;
    EXPECT_EQ(cut % 160, 0) << ms;
  }
}

TEST(QuietCutTest, SamplesThatAreNoNumbersCountAsSilence) {
  auto samples = Noise(30'000);
  for (int64_t i = 24'000 * 16; i < 24'200 * 16; ++i) {
    samples[static_cast<size_t>(i)] =
        i % 2 == 0 ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
  }
  EXPECT_EQ(QuietestCut(samples), 24'100 * 16);
}

}  // namespace
}  // namespace tutti
