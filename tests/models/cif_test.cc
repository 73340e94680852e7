#include "models/cif.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "models/synthetic.h"
#include "tests/support/asr.h"
#include "tests/support/random.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;

TEST(IntegrateAndFireTest, AgreesWithTheReference) {
  const auto cases = testing::ReadJson(testing::kFixtures + "expected_text.json")["cif"];
  ASSERT_EQ(cases.size(), 40U);
  for (const auto& expected : cases) {
    const std::vector<float> alphas = expected["alphas"];
    std::vector<float> hidden;
    for (const auto& row : expected["h"]) hidden.insert(hidden.end(), row.begin(), row.end());
    const auto rows = static_cast<int64_t>(expected["h"].size()), width = static_cast<int64_t>(hidden.size()) / rows;
    const int64_t tokens = CountTokens(alphas, 1.0);
    ASSERT_EQ(tokens, expected["n"].get<int64_t>());
    std::vector<float> found(static_cast<size_t>(tokens * width));
    IntegrateAndFire(hidden.data(), rows, width, alphas, 1.0, tokens, found.data());
    size_t at = 0;
    for (const auto& row : expected["embeds"]) {
      for (const float value : row) ASSERT_NEAR(found[at++], value, 2e-5);
    }
    ASSERT_EQ(at, found.size());
  }
}

TEST(IntegrateAndFireTest, AWeightThatCrossesTheThresholdIsSharedByTwoTokens) {
  const std::vector<float> hidden = {1, 10, 100}, alphas = {0.75F, 0.5F, 0.75F};
  ASSERT_EQ(CountTokens(alphas, 1.0), 2);
  std::vector<float> tokens(2);
  IntegrateAndFire(hidden.data(), 3, 1, alphas, 1.0, 2, tokens.data());
  EXPECT_THAT(tokens, ElementsAre(0.75F + 2.5F, 2.5F + 75.0F));
}

TEST(IntegrateAndFireTest, ManySmallWeightsFireWhereExactSumsDo) {
  // In float32 the integral of 2^-10 + 2^-30 a row would lose its small part.
  const std::vector<float> alphas(1'000'000, 0x1p-10F + 0x1p-30F);
  EXPECT_EQ(CountTokens(alphas, 1.0), static_cast<int64_t>(1e6 * (0x1p-10 + 0x1p-30)));
}

TEST(CountTokensTest, AThresholdOffOneNeverGivesMoreTokensThanTheSum) {
  const std::vector<float> alphas = {0.5F, 0.5F, 0.5F, 0.25F};
  EXPECT_EQ(CountTokens(alphas, 1.0), 1);
  EXPECT_EQ(CountTokens(alphas, 0.7), 1);
  EXPECT_EQ(CountTokens(alphas, 1.8), 0);
}

TEST(CountTokensTest, WeightsThatAreNotNumbersGiveNoTokens) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(CountTokens(std::vector<float>{nan, 1, 1}, 1.0), 0);
  EXPECT_EQ(CountTokens(std::vector<float>{0.5F, 0.5F, nan}, 1.0), 0);
  EXPECT_EQ(CountTokens({}, 1.0), 0);
}

// Scalar twin of the predictor, spec §6.1.
std::vector<float> ScalarAlphas(const CifOptions& options, const WeightSource& source, const RaggedBatch& encoded) {
  const int64_t width = options.width, taps = options.left + options.right + 1, in = options.version == 1 ? 1 : width;
  const auto kernel = source.Get("predictor.cif_conv1d.weight", {width, in, taps})->Copy();
  const auto bias = source.Get("predictor.cif_conv1d.bias", {width})->Copy();
  const auto output = source.Get("predictor.cif_output.weight", {1, width})->Copy();
  const auto output_bias = source.Get("predictor.cif_output.bias", {1})->Copy();
  std::vector<float> alphas;
  for (int64_t s = 0; s < encoded.segments(); ++s) {
    const auto at = [&](int64_t t, int64_t c) {
      return t < 0 || t >= encoded.rows(s) ? 0.0 : static_cast<double>(encoded.segment(s)[t * width + c]);
    };
    for (int64_t t = 0; t < encoded.rows(s); ++t) {
      double logit = output_bias[0];
      for (int64_t o = 0; o < width; ++o) {
        double sum = bias[static_cast<size_t>(o)] + (options.version == 1 ? at(t, o) : 0.0);
        for (int64_t i = 0; i < in; ++i) {
          for (int64_t j = 0; j < taps; ++j) {
            sum += static_cast<double>(kernel[static_cast<size_t>((o * in + i) * taps + j)]) *
                   at(t + j - options.left, options.version == 1 ? o : i);
          }
        }
        logit += static_cast<double>(output[static_cast<size_t>(o)]) * std::max(sum, 0.0);
      }
      const double alpha = options.smooth_factor / (1 + std::exp(-logit)) - options.noise_threshold;
      alphas.push_back(static_cast<float>(std::max(alpha, 0.0)));
    }
    alphas.push_back(encoded.rows(s) > 0 ? static_cast<float>(options.tail_threshold) : 0.0F);
  }
  return alphas;
}

class CifPredictorTest : public ::testing::TestWithParam<CifOptions> {};

TEST_P(CifPredictorTest, AgreesWithTheScalarTwinOverRaggedSegments) {
  const CifOptions options = GetParam();
  const RandomWeights source(3);
  const auto predictor = CifPredictor::Load(source, options);
  ASSERT_TRUE(predictor.ok()) << predictor.status();
  auto offsets = testing::RandomOffsets(7, 12, 5);
  offsets.push_back(offsets.back());      // no rows
  offsets.push_back(offsets.back() + 1);  // one row
  const auto rows = testing::RandomFloats(offsets.back() * options.width, 4, 20);
  const RaggedBatch encoded = {rows.data(), options.width, offsets};
  Workspace workspace;
  std::vector<float> alphas(static_cast<size_t>(encoded.rows() + encoded.segments()));
  predictor->Alphas(encoded, workspace, alphas.data());
  const auto expected = ScalarAlphas(options, source, encoded);
  ASSERT_EQ(alphas.size(), expected.size());
  for (size_t i = 0; i < alphas.size(); ++i) ASSERT_NEAR(alphas[i], expected[i], 1e-5) << i;
  EXPECT_TRUE(CifPredictor::AlphasOf(encoded, alphas.data(), 7).empty());
  EXPECT_EQ(CifPredictor::AlphasOf(encoded, alphas.data(), 8).size(), 2U);
}

INSTANTIATE_TEST_SUITE_P(
    Versions, CifPredictorTest,
    ::testing::Values(
        CifOptions{.version = 1, .width = 24}, CifOptions{.version = 2, .width = 24},
        CifOptions{.version = 1, .width = 20, .left = 2, .right = 0},
        CifOptions{.version = 2, .width = 20, .left = 0, .right = 3},
        CifOptions{.version = 2, .width = 16, .tail_threshold = 0.3, .smooth_factor = 1.25, .noise_threshold = 0.2}));

TEST(CifOptionsTest, TheSecondVersionIgnoresTheThreshold) {
  for (const auto& [name, threshold] : {std::pair("CifPredictor", 0.9), std::pair("CifPredictorV2", 1.0)}) {
    const auto config =
        Config::ParseYaml(fmt::format("predictor: {}\npredictor_conf: {{threshold: 0.9}}", name), "config.yaml");
    ASSERT_TRUE(config.ok());
    const auto options = CifOptions::FromConfig(*config, 64);
    ASSERT_TRUE(options.ok()) << options.status();
    EXPECT_EQ(options->threshold, threshold);
  }
}

}  // namespace
}  // namespace tutti
