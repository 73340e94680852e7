#include "frontend/log_mel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>

#include "frontend/log_mel_kernel.h"
#include "tests/support/npy.h"
#include "tests/support/random.h"
#include "tests/support/wav.h"

namespace tutti {
namespace {

using testing::RandomFloats;
using testing::ReadNpy;
using testing::ReadWav;

const std::string kAudio = TUTTI_SOURCE_DIR "/tests/data/fixtures/audio/";
const std::string kExpected = TUTTI_SOURCE_DIR "/tests/data/fixtures/whisper_tiny/";

std::vector<float> FeaturesOf(std::span<const float> samples, int64_t mels = 80) {
  const auto log_mel = LogMel::Create(mels);
  EXPECT_TRUE(log_mel.ok()) << log_mel.status();
  std::vector<float> rows;
  (*log_mel)->Compute(samples, rows);
  return rows;
}

// Every `step`th of our frames against those of the reference.
void ExpectReference(const std::string& clip, const std::string& file, int64_t mels, int64_t step) {
  const auto expected = ReadNpy(kExpected + file);
  const auto samples = ReadWav(kAudio + clip);
  const auto found = FeaturesOf(samples, mels);
  const auto frames = static_cast<int64_t>(found.size()) / mels;
  ASSERT_EQ((frames + step - 1) / step, expected.rows()) << file;
  ASSERT_EQ(expected.width(), mels) << file;
  for (int64_t row = 0; row < expected.rows(); ++row) {
    for (int64_t m = 0; m < mels; ++m) {
      ASSERT_NEAR(found[static_cast<size_t>(row * step * mels + m)],
                  expected.values[static_cast<size_t>(row * mels + m)], 1e-4)
          << file << ", row " << row << ", mel " << m;
    }
  }
}

TEST(LogMelTest, AgreesWithTheReference) {
  ExpectReference("clip_a.wav", "clip_a.feats.npy", 80, 8);
  ExpectReference("clip_b.wav", "clip_b.feats.npy", 80, 1);
  ExpectReference("clip_b.wav", "clip_b.feats128.npy", 128, 8);
}

TEST(LogMelTest, OfOneFrameAgreesWithATransformByDefinition) {
  const LogMelTables tables(80);
  const auto samples = RandomFloats(LogMelTables::kPoints, 3, 0.1F);
  std::vector<float> found(80);
  Log10MelEnergies(tables, samples.data(), 1, found.data());
  std::vector<double> power;
  for (int k = 0; k <= LogMelTables::kHalf; ++k) {
    std::complex<double> sum = 0;
    for (int n = 0; n < LogMelTables::kPoints; ++n) {
      const double angle = 2 * std::numbers::pi * n / LogMelTables::kPoints;
      sum += samples[static_cast<size_t>(n)] * (0.5 - 0.5 * std::cos(angle)) * std::polar(1.0, -angle * k);
    }
    power.push_back(std::norm(sum));
  }
  for (size_t m = 0; m < 80; ++m) {
    double energy = 0;
    for (int w = tables.first_weight[m]; w < tables.first_weight[m + 1]; ++w) {
      energy += static_cast<double>(tables.weights[static_cast<size_t>(w)]) *
                power[static_cast<size_t>(tables.first_bin[m] + w - tables.first_weight[m])];
    }
    EXPECT_NEAR(found[m], std::log10(energy), 2e-5) << m;
  }
}

TEST(LogMelTest, CountsAFrameForEachWholeHop) {
  for (const int64_t samples : {0, 1, 159, 160, 161, 319, 320, 399, 400, 16000, 16159}) {
    const auto sound = RandomFloats(samples, 1, 0.1F);
    EXPECT_EQ(static_cast<int64_t>(FeaturesOf(sound).size()), samples / 160 * 80) << samples;
  }
}

TEST(LogMelTest, OfSilenceIsTheFloorEverywhere) {
  const std::vector<float> silence(16000, 0.0F);
  for (const float feature : FeaturesOf(silence)) ASSERT_FLOAT_EQ(feature, (-10.0F + 4) / 4);
}

TEST(LogMelTest, SpansEightDecadesBelowTheLoudestOfTheWholeInput) {
  auto sound = RandomFloats(32000, 2, 1e-6F);
  const auto loud = RandomFloats(800, 3, 0.3F);
  std::ranges::copy(loud, sound.begin() + 30000);
  const auto features = FeaturesOf(sound);
  const auto [least, most] = std::ranges::minmax(features);
  EXPECT_NEAR(most - least, 2.0F, 1e-5F);
  EXPECT_EQ(features.front(), least) << "the quiet beginning lies on the floor that the loud end sets";
}

TEST(LogMelTest, TakesWhatIsNotFiniteForSilence) {
  auto sound = RandomFloats(4000, 4, 0.1F);
  auto clean = sound;
  for (const auto& [at, value] : {std::pair<size_t, float>{0, NAN}, {1000, INFINITY}, {3999, -INFINITY}}) {
    sound[at] = value;
    clean[at] = 0;
  }
  EXPECT_EQ(FeaturesOf(sound), FeaturesOf(clean));
  std::vector<float> extreme(4000, std::numeric_limits<float>::max());
  for (const float feature : FeaturesOf(extreme)) ASSERT_TRUE(std::isfinite(feature));
}

TEST(LogMelTest, AppendsToWhatIsThere) {
  const auto log_mel = LogMel::Create(80);
  ASSERT_TRUE(log_mel.ok());
  const auto sound = RandomFloats(2000, 5, 0.1F);
  std::vector<float> rows = {7};
  (*log_mel)->Compute(sound, rows);
  const auto alone = FeaturesOf(sound);
  ASSERT_EQ(rows.size(), 1 + alone.size());
  EXPECT_EQ(rows[0], 7);
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), rows.begin() + 1));
}

TEST(LogMelTest, RefusesOtherNumbersOfFilters) {
  EXPECT_EQ(LogMel::Create(64).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tutti
