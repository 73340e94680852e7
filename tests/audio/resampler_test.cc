#include "audio/resampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numbers>
#include <numeric>
#include <random>

#include "tests/support/random.h"

namespace tutti {
namespace {

using testing::RandomFloats;

std::vector<float> Resample(std::span<const float> samples, int rate) {
  auto filter = ResampleFilter::Create(rate);
  EXPECT_TRUE(filter.ok()) << Message(filter.status());
  std::vector<float> out;
  Resampler(*filter).Accept(samples, true, out);
  return out;
}

// Spec §1 word for word in float64, with all of torchaudio's taps.
std::vector<double> ScalarTwin(const std::vector<float>& x, int64_t rate) {
  const int64_t common = std::gcd(rate, int64_t{16000}), o = rate / common, n = 16000 / common;
  const double base = static_cast<double>(std::min(o, n)) * 0.99;
  const auto width = static_cast<int64_t>(std::ceil(6.0 * static_cast<double>(o) / base));
  const auto length = static_cast<int64_t>(x.size());
  std::vector<double> out(static_cast<size_t>((n * length + o - 1) / o));
  for (size_t j = 0; j < out.size(); ++j) {
    const int64_t group = static_cast<int64_t>(j) / n, p = static_cast<int64_t>(j) % n;
    for (int64_t i = -width; i < width + o; ++i) {
      const int64_t at = group * o + i;
      if (at < 0 || at >= length) continue;
      const double t = std::clamp(
          (-static_cast<double>(p) / static_cast<double>(n) + static_cast<double>(i) / static_cast<double>(o)) * base,
          -6.0, 6.0);
      const double window = std::pow(std::cos(t * std::numbers::pi / 12), 2);
      const double sinc = t == 0 ? 1 : std::sin(std::numbers::pi * t) / (std::numbers::pi * t);
      out[j] += sinc * window * base / static_cast<double>(o) * x[static_cast<size_t>(at)];
    }
  }
  return out;
}

TEST(ResamplerTest, AgreesWithTorchaudioOnTheFixtures) {
  std::ifstream file(TUTTI_SOURCE_DIR "/tests/data/fixtures/expected_text.json");
  const auto cases = nlohmann::json::parse(file).at("resample");
  ASSERT_EQ(cases.size(), 7u);
  for (const auto& one : cases) {
    const int rate = one.at("sr");
    const auto x = one.at("x").get<std::vector<float>>(), y = one.at("y").get<std::vector<float>>();
    const auto out = Resample(x, rate);
    ASSERT_EQ(out.size(), y.size()) << rate;
    for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(out[i], y[i], 2e-5) << rate << " Hz, output " << i;
  }
}

TEST(ResamplerTest, AgreesWithTheScalarTwinAtCommonAndOddRates) {
  for (const int rate : {1000, 7350, 7999, 8000, 11025, 12000, 15999, 16001, 22050, 37800, 44100, 48000, 96000, 192000,
                         352800, 768000}) {
    for (const int64_t length : {1, 2, 40, 900}) {
      const auto x = RandomFloats(length, static_cast<uint32_t>(rate), 0.3F);
      const auto out = Resample(x, rate);
      const auto expected = ScalarTwin(x, rate);
      ASSERT_EQ(out.size(), expected.size()) << rate << " Hz, " << length;
      for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], 2e-6) << rate << " Hz, output " << i;
    }
  }
}

TEST(ResamplerTest, PiecesOfAnyLengthGiveTheSameBitsAsTheWhole) {
  std::mt19937 generator(1);
  for (const int rate : {1000, 8000, 11025, 15999, 16000, 44100, 48000, 767999}) {
    const auto x = RandomFloats(5000, 2, 0.3F);
    const auto whole = Resample(x, rate);
    const auto filter = ResampleFilter::Create(rate).value();
    for (const int longest : {1, 7, 300, 3000}) {
      Resampler resampler(filter);
      std::uniform_int_distribution<size_t> length(0, static_cast<size_t>(longest));
      std::vector<float> out;
      for (std::span<const float> left = x; !left.empty();) {
        const auto piece = left.first(std::min(left.size(), length(generator)));
        left = left.subspan(piece.size());
        resampler.Accept(piece, false, out);
      }
      resampler.Accept({}, true, out);
      ASSERT_EQ(out, whole) << rate << " Hz, pieces up to " << longest;
    }
  }
}

TEST(ResamplerTest, OutputsComeAsSoonAsTheirInputsAreThere) {
  for (const int rate : {8000, 16000, 44100, 48000}) {
    Resampler resampler(ResampleFilter::Create(rate).value());
    std::vector<float> out;
    resampler.Accept(std::vector<float>(static_cast<size_t>(rate)), false, out);
    EXPECT_GT(out.size(), 16000u - 40) << rate;
  }
}

TEST(ResamplerTest, LeavesSixteenKilohertzUntouched) {
  const auto x = RandomFloats(1000, 3);
  EXPECT_EQ(Resample(x, 16000), x);
}

TEST(ResamplerTest, GivesNothingForNothing) {
  for (const int rate : {8000, 16000, 44100}) EXPECT_TRUE(Resample({}, rate).empty());
}

TEST(ResamplerTest, RefusesRatesThatNoRecordingHas) {
  for (const int rate : {-44100, 0, 1, 999, 768001, 2147483647}) {
    const auto filter = ResampleFilter::Create(rate);
    ASSERT_FALSE(filter.ok()) << rate;
    EXPECT_EQ(filter.status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace tutti
