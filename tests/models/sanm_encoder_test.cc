#include "models/sanm_encoder.h"

#include <gtest/gtest.h>

#include "models/synthetic.h"
#include "tests/support/asr.h"
#include "tests/support/random.h"

namespace tutti {
namespace {

// Scalar twin of the encoder in float64, straight from spec §5.
class ScalarEncoder {
 public:
  using Matrix = std::vector<std::vector<double>>;

  ScalarEncoder(const SanmEncoderOptions& options, const WeightSource& source) : options_(options), source_(source) {}

  Matrix Run(Matrix x) const {
    const auto depth = static_cast<size_t>(options_.in);
    for (size_t t = 0; t < x.size(); ++t) {
      for (size_t i = 0; i < depth; ++i) {
        const double rate =
            std::exp(-static_cast<double>(i % (depth / 2)) * std::log(10000.0) / (static_cast<double>(depth) / 2 - 1));
        const double angle = static_cast<double>(t + 1) * rate;
        x[t][i] = x[t][i] * std::sqrt(options_.width) + (i < depth / 2 ? std::sin(angle) : std::cos(angle));
      }
    }
    for (int64_t block = 0; block < options_.blocks; ++block) {
      x = Layer(block == 0 ? "encoder.encoders0.0." : "encoder.encoders." + std::to_string(block - 1) + ".", x);
    }
    return Normal("encoder.after_norm", x);
  }

 private:
  std::vector<float> Get(const std::string& name, std::initializer_list<int64_t> shape) const {
    return source_.Get(name, shape)->Copy();
  }

  Matrix Product(const std::string& name, const Matrix& x, int64_t out) const {
    const auto in = static_cast<int64_t>(x[0].size());
    const auto weight = Get(name + ".weight", {out, in}), bias = Get(name + ".bias", {out});
    Matrix y(x.size(), std::vector<double>(static_cast<size_t>(out)));
    for (size_t t = 0; t < x.size(); ++t) {
      for (size_t o = 0; o < y[t].size(); ++o) {
        y[t][o] = bias[o];
        for (size_t i = 0; i < x[t].size(); ++i) y[t][o] += static_cast<double>(weight[o * x[t].size() + i]) * x[t][i];
      }
    }
    return y;
  }

  Matrix Normal(const std::string& name, Matrix x) const {
    const auto width = static_cast<int64_t>(x[0].size());
    const auto gamma = Get(name + ".weight", {width}), beta = Get(name + ".bias", {width});
    for (auto& row : x) {
      double mean = 0, variance = 0;
      for (const double value : row) mean += value / static_cast<double>(width);
      for (const double value : row) variance += (value - mean) * (value - mean) / static_cast<double>(width);
      for (size_t i = 0; i < row.size(); ++i) {
        row[i] = (row[i] - mean) / std::sqrt(variance + static_cast<double>(options_.norm_eps)) * gamma[i] + beta[i];
      }
    }
    return x;
  }

  Matrix Layer(const std::string& name, const Matrix& x) const {
    const auto width = static_cast<size_t>(options_.width), dk = width / static_cast<size_t>(options_.heads);
    const auto qkv = Product(name + "self_attn.linear_q_k_v", Normal(name + "norm1", x), 3 * options_.width);
    Matrix heads(x.size(), std::vector<double>(width));
    for (size_t h = 0; h < width; h += dk) {
      for (size_t t = 0; t < x.size(); ++t) {
        std::vector<double> weights(x.size());
        double sum = 0;
        for (size_t u = 0; u < x.size(); ++u) {
          for (size_t c = h; c < h + dk; ++c) weights[u] += qkv[t][c] * qkv[u][width + c];
          sum += weights[u] = std::exp(weights[u] / std::sqrt(dk));
        }
        for (size_t u = 0; u < x.size(); ++u) {
          for (size_t c = h; c < h + dk; ++c) heads[t][c] += weights[u] / sum * qkv[u][2 * width + c];
        }
      }
    }
    Matrix y = Product(name + "self_attn.linear_out", heads, options_.width);
    const auto taps = options_.taps, left = (taps - 1) / 2 + options_.shift;
    const auto kernel = Get(name + "self_attn.fsmn_block.weight", {options_.width, 1, taps});
    for (int64_t t = 0; t < static_cast<int64_t>(x.size()); ++t) {
      auto& row = y[static_cast<size_t>(t)];
      for (size_t c = 0; c < width; ++c) {
        row[c] += qkv[static_cast<size_t>(t)][2 * width + c];
        for (int64_t j = 0; j < taps; ++j) {
          const int64_t from = t + j - left;
          if (from < 0 || from >= static_cast<int64_t>(x.size())) continue;
          row[c] += static_cast<double>(kernel[c * static_cast<size_t>(taps) + static_cast<size_t>(j)]) *
                    qkv[static_cast<size_t>(from)][2 * width + c];
        }
        if (x[0].size() == width) row[c] += x[static_cast<size_t>(t)][c];
      }
    }
    auto hidden = Product(name + "feed_forward.w_1", Normal(name + "norm2", y), options_.hidden);
    for (auto& row : hidden) {
      for (double& value : row) value = std::max(value, 0.0);
    }
    const auto down = Product(name + "feed_forward.w_2", hidden, options_.width);
    for (size_t t = 0; t < y.size(); ++t) {
      for (size_t c = 0; c < width; ++c) y[t][c] += down[t][c];
    }
    return y;
  }

  const SanmEncoderOptions options_;
  const WeightSource& source_;
};

void ExpectAgreement(const SanmEncoderOptions& options, const std::vector<int64_t>& offsets) {
  const RandomWeights source(11);
  const auto encoder = SanmEncoder::Load(source, options);
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  const auto rows = testing::RandomFloats(offsets.back() * options.in, 12);
  std::vector<float> encoded(static_cast<size_t>(offsets.back() * options.width));
  Workspace workspace;
  encoder->Run({rows.data(), options.in, offsets}, workspace, encoded.data());
  std::vector<float> expected;
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    ScalarEncoder::Matrix x;
    for (int64_t t = offsets[s]; t < offsets[s + 1]; ++t) {
      x.emplace_back(rows.begin() + t * options.in, rows.begin() + (t + 1) * options.in);
    }
    if (x.empty()) continue;
    for (const auto& row : ScalarEncoder(options, source).Run(x)) {
      expected.insert(expected.end(), row.begin(), row.end());
    }
  }
  EXPECT_LT(testing::RelativeError(encoded, expected), 2e-5);
}

TEST(SanmEncoderTest, AgreesWithTheScalarTwinWhetherOrNotTheFirstLayerHasAResidual) {
  SanmEncoderOptions options = {.in = 24, .width = 16, .heads = 2, .hidden = 40, .blocks = 3, .taps = 5, .shift = 0};
  ExpectAgreement(options, {0, 9, 9, 10, 27});
  options.in = options.width;
  ExpectAgreement(options, {0, 9, 9, 10, 27});
}

TEST(SanmEncoderTest, AgreesWithTheScalarTwinWithAShiftedMemoryAndAnotherEps) {
  ExpectAgreement(
      {.in = 16, .width = 16, .heads = 4, .hidden = 32, .blocks = 2, .taps = 11, .shift = 5, .norm_eps = 1e-2F},
      {0, 20});
}

TEST(SanmEncoderTest, AgreesWithTheScalarTwinOnSegmentsLongerThanARowBlock) {
  ExpectAgreement({.in = 8, .width = 4, .heads = 1, .hidden = 8, .blocks = 2, .taps = 3, .shift = 0},
                  {0, 5, 5 + 2 * Linear::BlockRows() + 3});
}

TEST(PositionEncodingTest, GoesOnBeyondItsTableAsBefore) {
  constexpr int64_t kRows = 1100, kDepth = 8;
  const PositionEncoding positions(kDepth);
  std::vector<float> rows(kRows * kDepth, 0.0F);
  positions.Apply(rows.data(), 0, kRows, 1, rows.data());
  for (const int64_t t : {0L, 1023L, 1024L, kRows - 1}) {
    EXPECT_NEAR(rows[static_cast<size_t>(t * kDepth)], std::sin(static_cast<double>(t + 1)), 1e-6) << t;
    EXPECT_NEAR(rows[static_cast<size_t>(t * kDepth + kDepth / 2)], std::cos(static_cast<double>(t + 1)), 1e-6) << t;
  }
}

TEST(SanmEncoderTest, CountsTheOperationsOfItsProducts) {
  const auto encoder =
      MakeSyntheticEncoder({.in = 24, .width = 16, .heads = 2, .hidden = 40, .blocks = 2, .taps = 5, .shift = 0}, 1);
  ASSERT_TRUE(encoder.ok());
  const int64_t first = 24 * 48 + 16 * 16 + 2 * 16 * 40, second = 16 * 48 + 16 * 16 + 2 * 16 * 40;
  EXPECT_EQ(encoder->Operations(10), 2.0 * (10.0 * (first + second) + 2 * 2 * 10 * 10 * 16));
}

}  // namespace
}  // namespace tutti
