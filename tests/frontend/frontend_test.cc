#include "frontend/frontend.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <random>

#include "frontend/fbank_kernel.h"
#include "tests/support/npy.h"
#include "tests/support/random.h"
#include "tests/support/wav.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;
using testing::RandomFloats;
using testing::ReadNpy;
using testing::ReadWav;

const std::string kFixtures = TUTTI_SOURCE_DIR "/tests/data/fixtures";
constexpr double kPi = std::numbers::pi;

std::shared_ptr<const Frontend> FrontendOf(const FrontendOptions& options, Cmvn cmvn = {}) {
  auto frontend = Frontend::Create(options, std::move(cmvn));
  EXPECT_TRUE(frontend.ok()) << frontend.status();
  return *frontend;
}

// Noise with a tone and an offset: loud and quiet stretches, as speech has.
std::vector<float> Sound(int64_t samples, uint32_t seed) {
  auto sound = RandomFloats(samples, seed, 0.05F);
  for (size_t i = 0; i < sound.size(); ++i) {
    const float loudness = i / 3000 % 2 == 0 ? 1.0F : 0.01F;
    sound[i] = loudness * (sound[i] + 0.3F * std::sin(0.07F * static_cast<float>(i))) + 0.01F;
  }
  return sound;
}

// Spec §2.1 in float64, transform by definition.
std::vector<double> ScalarFrame(const float* samples, const FrontendOptions& options) {
  const auto length = static_cast<size_t>(options.frame_length);
  std::vector<double> x(samples, samples + length);
  double mean = 0;
  for (double& value : x) {
    value *= options.upscale_samples ? 32768 : 1;
    mean += value / static_cast<double>(length);
  }
  std::vector<double> y(512);
  for (size_t i = 0; i < length; ++i) {
    const double before = x[i == 0 ? 0 : i - 1] - mean;
    const double window = 0.54 - 0.46 * std::cos(2 * kPi * static_cast<double>(i) / static_cast<double>(length - 1));
    y[i] = (x[i] - mean - 0.97 * before) * window;
  }
  std::vector<double> power(256);
  for (size_t k = 0; k < power.size(); ++k) {
    std::complex<double> sum;
    for (size_t i = 0; i < y.size(); ++i) sum += y[i] * std::polar(1.0, -2 * kPi * static_cast<double>(i * k) / 512);
    power[k] = std::norm(sum);
  }
  const auto mel = [](double hz) { return 1127 * std::log(1 + hz / 700); };
  const double step = (mel(8000) - mel(20)) / (options.mels + 1);
  std::vector<double> energies;
  for (int m = 0; m < options.mels; ++m) {
    const double left = mel(20) + m * step, centre = left + step, right = centre + step;
    double energy = 0;
    for (size_t k = 0; k < power.size(); ++k) {
      const double at = mel(31.25 * static_cast<double>(k));
      energy += power[k] * std::max(0.0, std::min((at - left) / (centre - left), (right - at) / (right - centre)));
    }
    energies.push_back(std::log(std::max(energy, 1.1920929e-07)));
  }
  return energies;
}

TEST(FrontendTest, RowsOfARealPackageMatchTheReference) {
  auto package = ModelPackage::Open(kFixtures + "/paraformer_tiny");
  ASSERT_TRUE(package.ok()) << package.status();
  const auto frontend = Frontend::FromPackage(*package);
  ASSERT_TRUE(frontend.ok()) << frontend.status();
  for (const std::string clip : {"clip_a", "clip_b"}) {
    const auto expected = ReadNpy(fmt::format("{}/paraformer_tiny/{}.feats.npy", kFixtures, clip));
    std::vector<float> rows;
    (*frontend)->Compute(ReadWav(fmt::format("{}/audio/{}.wav", kFixtures, clip)), rows);
    ASSERT_EQ(expected.width(), (*frontend)->width());
    ASSERT_EQ(rows.size(), expected.values.size());
    float worst = 0;
    for (size_t i = 0; i < rows.size(); ++i) worst = std::max(worst, std::abs(rows[i] - expected.values[i]));
    EXPECT_LE(worst, 2e-4F) << clip;
  }
}

TEST(FrontendTest, EnergiesAgreeWithTheScalarTwin) {
  FrontendOptions plain, odd;
  odd.mels = 23;
  odd.frame_length = 321;
  odd.frame_shift = 77;
  odd.upscale_samples = false;
  for (const FrontendOptions& options : {plain, odd}) {
    const auto frontend = FrontendOf(options);
    for (const int64_t samples : {512, 2000, 5000}) {
      const auto sound = Sound(samples, 1);
      std::vector<float> frames;
      frontend->ComputeFbank(sound, frames);
      ASSERT_EQ(frames.size(), static_cast<size_t>(frontend->Frames(samples) * options.mels));
      for (int64_t frame = 0; frame < frontend->Frames(samples); ++frame) {
        const auto twin = ScalarFrame(sound.data() + frame * options.frame_shift, options);
        for (int m = 0; m < options.mels; ++m) {
          ASSERT_NEAR(frames[static_cast<size_t>(frame * options.mels + m)], twin[static_cast<size_t>(m)], 2e-3)
              << frame << " " << m;
        }
      }
    }
  }
}

TEST(FrontendTest, SilenceHasTheFloorEnergyAndNoSoundMakesARowInfinite) {
  const auto frontend = FrontendOf({});
  std::vector<float> rows;
  frontend->Compute(std::vector<float>(4000), rows);
  for (const float value : rows) ASSERT_NEAR(value, std::log(1.1920929e-07), 1e-5);

  rows.clear();
  std::vector<float> monstrous = RandomFloats(4000, 2, 1e38F);
  frontend->Compute(monstrous, rows);
  for (const float value : rows) ASSERT_TRUE(std::isfinite(value));
}

TEST(FrontendTest, SamplesThatAreNotFiniteCountAsZero) {
  const auto frontend = FrontendOf({});
  auto broken = Sound(3000, 3), repaired = broken;
  const float values[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()};
  for (size_t i = 5; i < broken.size(); i += 101) {
    broken[i] = values[i % 3];
    repaired[i] = 0;
  }
  std::vector<float> from_broken, from_repaired;
  frontend->Compute(broken, from_broken);
  frontend->Compute(repaired, from_repaired);
  EXPECT_EQ(from_broken, from_repaired);
}

TEST(FrontendTest, AFrameHasTheSameBitsWhereverItSitsInACall) {
  const auto frontend = FrontendOf({});
  const auto sound = Sound(16'000, 4);
  std::vector<float> whole;
  frontend->ComputeFbank(sound, whole);
  const size_t mels = 80;
  for (size_t first = 0; first < 98; first += 3) {
    for (const size_t count : {size_t{1}, size_t{5}, size_t{9}}) {
      if (first + count > 98) continue;
      std::vector<float> part;
      frontend->ComputeFbank(std::span(sound).subspan(first * 160, 400 + (count - 1) * 160), part);
      ASSERT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(first * mels)))
          << first << " " << count;
    }
  }
}

TEST(FrontendTest, StackingRepeatsTheFirstAndTheLastFrame) {
  const std::pair<int, int> shapes[] = {{7, 6}, {5, 1}, {1, 1}, {6, 6}, {9, 4}};
  for (const auto& [m, n] : shapes) {
    FrontendOptions options;
    options.mels = 1;
    options.lfr_m = m;
    options.lfr_n = n;
    const auto frontend = FrontendOf(options);
    for (int total = 1; total < 400; ++total) {
      // FunASR's way: L copies of the first frame in front, the last frame repeated where the end is passed.
      std::vector<float> frames(static_cast<size_t>(total)), padded(static_cast<size_t>((m - 1) / 2), 0);
      for (size_t i = 0; i < frames.size(); ++i) padded.push_back(frames[i] = static_cast<float>(i));
      const int64_t rows = frontend->Rows(400 + (total - 1) * 160);
      ASSERT_EQ(rows, (total + n - 1) / n);
      for (int64_t row = 0; row < rows; ++row) {
        std::vector<float> stacked(static_cast<size_t>(m));
        frontend->StackRow(frames.data(), 0, total, row, stacked.data());
        for (size_t j = 0; j < stacked.size(); ++j) {
          const size_t at = std::min(static_cast<size_t>(row * n) + j, padded.size() - 1);
          ASSERT_EQ(stacked[j], padded[at]) << m << " " << n << " " << total << " " << row;
        }
      }
    }
  }
}

TEST(FrontendTest, RowsAreTheStackedEnergiesNormalisedHoweverLongTheSound) {
  const std::pair<int, int> shapes[] = {{7, 6}, {5, 1}, {1, 1}, {1, 6}, {64, 3}};
  for (const auto& [m, n] : shapes) {
    FrontendOptions options;
    options.lfr_m = m;
    options.lfr_n = n;
    Cmvn cmvn;
    cmvn.shift = RandomFloats(m * 80, 5);
    cmvn.scale = RandomFloats(m * 80, 6);
    const auto frontend = FrontendOf(options, cmvn);
    const auto plain = FrontendOf(options);
    for (const int64_t samples : {400, 559, 560, 4000, 70'000}) {
      const auto sound = Sound(samples, 7);
      std::vector<float> rows = {42}, frames, row(static_cast<size_t>(plain->width()));
      frontend->Compute(sound, rows);
      plain->ComputeFbank(sound, frames);
      ASSERT_EQ(rows.size(), static_cast<size_t>(1 + plain->Rows(samples) * plain->width()));
      EXPECT_EQ(rows[0], 42);  // appended
      for (int64_t i = 0; i < plain->Rows(samples); ++i) {
        plain->StackRow(frames.data(), 0, plain->Frames(samples), i, row.data());
        for (size_t c = 0; c < row.size(); ++c) {
          ASSERT_EQ(rows[1 + static_cast<size_t>(i * plain->width()) + c], (row[c] + cmvn.shift[c]) * cmvn.scale[c]);
        }
      }
    }
  }
}

TEST(FrontendTest, RefusesOptionsItCannotServe) {
  FrontendOptions options;
  options.sample_rate = 8000;
  EXPECT_EQ(Frontend::Create(options, {}).status().code(), absl::StatusCode::kUnimplemented);
  options = {};
  options.frame_length = 1000;
  EXPECT_EQ(Frontend::Create(options, {}).status().code(), absl::StatusCode::kUnimplemented);
  options = {};
  options.frame_shift = 0;
  EXPECT_EQ(Frontend::Create(options, {}).status().code(), absl::StatusCode::kInvalidArgument);
  options = {};
  options.lfr_n = 0;
  EXPECT_EQ(Frontend::Create(options, {}).status().code(), absl::StatusCode::kInvalidArgument);
  Cmvn narrow;
  narrow.shift = narrow.scale = std::vector<float>(400);
  const auto refused = Frontend::Create({}, narrow);
  EXPECT_THAT(Message(refused.status()), HasSubstr("400"));
  EXPECT_THAT(Message(refused.status()), HasSubstr("560"));
}

TEST(FrontendTest, ReadsItsOptionsFromAConfigurationAndRefusesOtherWindows) {
  const auto config = Config::ParseYaml("frontend_conf: {n_mels: 40, lfr_m: 5, upsacle_samples: false}", "test.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  const auto options = FrontendOptions::FromConfig(*config);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->mels, 40);
  EXPECT_EQ(options->lfr_m, 5);
  EXPECT_EQ(options->lfr_n, 1);
  EXPECT_FALSE(options->upscale_samples);
  const auto povey = Config::ParseYaml("frontend_conf: {window: povey}", "test.yaml");
  ASSERT_TRUE(povey.ok());
  const auto refused = FrontendOptions::FromConfig(*povey).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(Message(refused), HasSubstr("test.yaml"));
}

TEST(FrontendStreamTest, AnyCutGivesTheSameBitsAsTheWhole) {
  std::mt19937 random(8);
  const std::pair<int, int> shapes[] = {{7, 6}, {5, 1}, {1, 1}, {1, 6}, {9, 4}, {6, 6}};
  for (const auto& [m, n] : shapes) {
    FrontendOptions options;
    options.lfr_m = m;
    options.lfr_n = n;
    const auto frontend = FrontendOf(options);
    FrontendStream stream(frontend);  // one for all rounds: as new after each end
    for (int round = 0; round < 25; ++round) {
      const auto sound = Sound(round < 4 ? 399 + round * 80 : static_cast<int64_t>(random() % 40'000), random());
      std::vector<float> whole, pieces;
      frontend->Compute(sound, whole);
      const size_t longest = size_t{1} << (3 + random() % 13);
      int64_t rows = 0;
      std::span<const float> rest = sound;
      while (!rest.empty()) {
        const size_t piece = std::min<size_t>(rest.size(), random() % longest + (longest < 64 ? 1 : 0));
        const bool is_final = piece == rest.size() && random() % 2 == 0;
        rows += stream.Accept(rest.first(piece), is_final, pieces);
        rest = rest.subspan(piece);
        if (is_final) break;
        if (rest.empty()) rows += stream.Accept({}, true, pieces);
      }
      if (sound.empty()) rows += stream.Accept({}, true, pieces);
      ASSERT_EQ(rows, frontend->Rows(static_cast<int64_t>(sound.size())));
      ASSERT_TRUE(pieces == whole) << m << " " << n << " " << sound.size();
    }
  }
}

TEST(FrontendStreamTest, WithholdsOnlyTheRightContext) {
  FrontendOptions options;
  options.lfr_m = 5;
  options.lfr_n = 1;
  FrontendStream stream(FrontendOf(options));
  std::vector<float> rows;
  EXPECT_EQ(stream.Accept(Sound(400 + 160, 9), false, rows), 0);
  EXPECT_EQ(stream.Accept(Sound(160, 9), false, rows), 1);
  EXPECT_EQ(stream.Accept(Sound(1600, 9), false, rows), 10);
  EXPECT_EQ(stream.Accept({}, true, rows), 2);
}

TEST(FrontendStreamTest, SoundBelowOneFrameGivesNoRow) {
  FrontendStream stream(FrontendOf({}));
  std::vector<float> rows;
  EXPECT_EQ(stream.Accept({}, true, rows), 0);
  EXPECT_EQ(stream.Accept(Sound(1, 10), true, rows), 0);
  EXPECT_EQ(stream.Accept(Sound(399, 10), true, rows), 0);
  EXPECT_EQ(stream.Accept(Sound(400, 10), true, rows), 1);
}

TEST(FrameDecibelsTest, AgreeWithTheScalarTwinAtEveryLength) {
  const auto sound = Sound(4000, 11);
  for (const int length : {1, 3, 8, 13, 400}) {
    std::vector<float> decibels(20);
    FrameDecibels(sound.data(), 20, length, 160, decibels.data());
    for (size_t frame = 0; frame < decibels.size(); ++frame) {
      double energy = 1e-6;
      for (size_t i = 0; i < static_cast<size_t>(length); ++i) {
        energy += std::pow(static_cast<double>(sound[frame * 160 + i]), 2);
      }
      ASSERT_NEAR(decibels[frame], 10 * std::log10(energy), 1e-4) << length;
    }
  }
}

}  // namespace
}  // namespace tutti
