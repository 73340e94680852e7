#include "nn/quantise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "tests/support/random.h"

namespace tutti {
namespace {

using testing::RandomFloats;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Rows of many kinds: around zero, one-sided as after ReLU, of one value, tiny, huge.
std::vector<float> RowOfKind(int kind, int64_t width) {
  std::vector<float> x = RandomFloats(width, static_cast<uint64_t>(kind) + 7);
  for (float& v : x) {
    if (kind == 1) v = std::max(v, 0.0F);
    if (kind == 2) v = -std::abs(v) - 1;
    if (kind == 3) v = 5;
    if (kind == 4) v *= 1e-30F;
    if (kind == 5) v *= 1e30F;
    if (kind == 6) v = 0;
  }
  if (kind == 7) x.back() = 1000;  // one outlier, in the tail of a vector
  return x;
}
constexpr int kKinds = 8;

// The scalar twin of one row of QuantiseRows.
RowScale QuantiseScalar(const std::vector<float>& x, int32_t levels, std::vector<uint8_t>& q) {
  float low = 0, high = 0;
  for (const float v : x) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  const float range = high - low;
  q.assign(x.size(), 0);
  if (range == 0) return {0, 0};
  const float inverse = static_cast<float>(levels) / range;
  const RowScale row = {range / static_cast<float>(levels), static_cast<int32_t>(std::nearbyint(-low * inverse))};
  for (size_t i = 0; i < x.size(); ++i) {
    const float level = std::nearbyint(x[i] * inverse) + static_cast<float>(row.zero);
    q[i] = static_cast<uint8_t>(std::clamp(level, 0.0F, static_cast<float>(levels)));
  }
  return row;
}

TEST(QuantiseRowsTest, EqualsTheScalarTwinForEveryKindOfRowAndWidth) {
  for (const int32_t levels : {255, 127}) {
    for (const int64_t width : {1, 3, 15, 16, 17, 31, 33, 64, 100, 512, 513}) {
      std::vector<float> x;
      for (int kind = 0; kind < kKinds; ++kind) {
        const auto row = RowOfKind(kind, width);
        x.insert(x.end(), row.begin(), row.end());
      }
      std::vector<uint8_t> q(x.size()), expected;
      std::vector<RowScale> scales(kKinds);
      QuantiseRows(x.data(), kKinds, width, levels, q.data(), scales.data());
      for (int kind = 0; kind < kKinds; ++kind) {
        const RowScale row = QuantiseScalar(RowOfKind(kind, width), levels, expected);
        const auto at = static_cast<size_t>(kind);
        EXPECT_EQ(scales[at].scale, row.scale) << kind << " " << width;
        EXPECT_EQ(scales[at].zero, row.zero) << kind << " " << width;
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), q.begin() + kind * width)) << kind << " " << width;
      }
    }
  }
}

TEST(QuantiseRowsTest, IsWithinHalfALevelAndKeepsZero) {
  constexpr int64_t kWidth = 100;
  for (int kind = 0; kind < kKinds; ++kind) {
    auto x = RowOfKind(kind, kWidth);
    x[17] = 0;
    std::vector<uint8_t> q(kWidth);
    RowScale row;
    QuantiseRows(x.data(), 1, kWidth, 255, q.data(), &row);
    EXPECT_EQ(q[17], row.zero);
    for (size_t i = 0; i < x.size(); ++i) {
      // One level at the ends, where the zero point's own rounding may push a value over the edge.
      EXPECT_NEAR(row.scale * static_cast<float>(q[i] - row.zero), x[i], row.scale * 1.001F) << kind;
    }
  }
}

TEST(QuantiseRowsTest, RowsThatAreNotNumbersHarmNoOtherRow) {
  constexpr int64_t kWidth = 40;
  std::vector<float> x = RandomFloats(3 * kWidth, 1);
  x[kWidth + 3] = kNan;
  x[kWidth + 4] = kInfinity;
  x[kWidth + 5] = -kInfinity;
  std::vector<uint8_t> q(x.size()), alone(kWidth);
  std::vector<RowScale> scales(3);
  QuantiseRows(x.data(), 3, kWidth, 255, q.data(), scales.data());
  for (const int64_t r : {0, 2}) {
    RowScale row;
    QuantiseRows(x.data() + r * kWidth, 1, kWidth, 255, alone.data(), &row);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), q.begin() + r * kWidth));
    EXPECT_EQ(row.scale, scales[static_cast<size_t>(r)].scale);
  }
  EXPECT_FALSE(std::isfinite(scales[1].scale)) << "a broken row stays recognisable";
}

// The scalar twin of one output of QuantiseWeights.
float QuantiseWeightsScalar(const std::vector<float>& w, std::vector<int8_t>& q) {
  float largest = 0;
  for (const float v : w) largest = std::max(largest, std::abs(v));
  const float inverse = 127 / largest;
  const bool usable = largest > 0 && std::isfinite(inverse) && std::isfinite(largest);
  q.clear();
  for (const float v : w) {
    const float level = usable ? std::nearbyint(v * inverse) : 0;
    q.push_back(static_cast<int8_t>(std::isnan(level) ? 0 : std::clamp(level, -127.0F, 127.0F)));
  }
  return largest / 127;
}

TEST(QuantiseWeightsTest, EqualsTheScalarTwinForEveryKindOfOutputAndWidth) {
  const std::vector<float> special = {0, kNan, kInfinity, -kInfinity, 1e-45F};
  for (const int64_t width : {1, 3, 15, 16, 17, 31, 33, 64, 100, 512, 513}) {
    for (int kind = 0; kind < kKinds + static_cast<int>(special.size()); ++kind) {
      auto w = RowOfKind(kind < kKinds ? kind : 0, width);
      if (kind >= kKinds) w[w.size() / 2] = special[static_cast<size_t>(kind - kKinds)];
      if (kind == kKinds + 4) std::ranges::fill(w, 1e-45F);  // too small to divide by
      std::vector<int8_t> q(w.size()), expected;
      float scale = 0;
      QuantiseWeights(w.data(), 1, width, q.data(), &scale);
      EXPECT_EQ(scale, QuantiseWeightsScalar(w, expected)) << kind << " " << width;
      EXPECT_EQ(q, expected) << kind << " " << width;
    }
  }
}

TEST(QuantiseWeightsTest, IsWithinHalfALevelOfEachOutputsOwnScale) {
  constexpr int64_t kOut = 5, kIn = 37;
  auto w = RandomFloats(kOut * kIn, 3);
  for (int64_t i = 0; i < kIn; ++i) {
    w[static_cast<size_t>(1 * kIn + i)] *= 1000;
    w[static_cast<size_t>(2 * kIn + i)] = 0;
  }
  std::vector<int8_t> q(w.size());
  std::vector<float> scales(kOut), back(w.size());
  QuantiseWeights(w.data(), kOut, kIn, q.data(), scales.data());
  DequantiseWeights(q.data(), scales.data(), kOut, kIn, back.data());
  for (size_t i = 0; i < w.size(); ++i) {
    EXPECT_NEAR(back[i], w[i], scales[i / kIn] * 0.5001F);
    EXPECT_GE(q[i], -127);
  }
  EXPECT_EQ(scales[2], 0);
  EXPECT_TRUE(std::any_of(q.begin(), q.begin() + kIn, [](int8_t v) { return std::abs(v) == 127; }))
      << "the largest weight takes the last level";
}

TEST(DequantiseRowsTest, EqualsTheFormulaForEveryCombination) {
  for (const int64_t width : {1, 7, 16, 33, 515}) {
    constexpr int64_t kRows = 7;
    std::mt19937 random(5);  // NOLINT: the same every time
    std::uniform_int_distribution<int32_t> any_sum(-60'000'000, 60'000'000), any_zero(0, 255),
        any_column(-200'000, 200'000);
    std::vector<int32_t> sums(static_cast<size_t>(kRows * width));
    std::vector<float> column_sums(static_cast<size_t>(width));
    for (int32_t& sum : sums) sum = any_sum(random);
    for (float& sum : column_sums) sum = static_cast<float>(any_column(random));
    const auto column_scales = RandomFloats(width, 8), bias = RandomFloats(width, 9);
    std::vector<RowScale> rows;
    for (int64_t r = 0; r < kRows; ++r) rows.push_back({0.01F * static_cast<float>(r + 1), any_zero(random)});
    const auto before = RandomFloats(kRows * width, 10);
    for (const Combine combine : {Combine::kStore, Combine::kRelu, Combine::kAccumulate}) {
      for (const bool has_bias : {true, false}) {
        std::vector<float> y = before;
        DequantiseRows(sums.data(), kRows, rows.data(), {column_scales, column_sums, has_bias ? bias.data() : nullptr},
                       combine, y.data());
        for (size_t i = 0; i < y.size(); ++i) {
          const size_t r = i / static_cast<size_t>(width), c = i % static_cast<size_t>(width);
          const float sum = std::fma(-static_cast<float>(rows[r].zero), column_sums[c], static_cast<float>(sums[i]));
          float v = std::fma(sum * column_scales[c], rows[r].scale, has_bias ? bias[c] : 0.0F);
          if (combine == Combine::kRelu) v = std::max(v, 0.0F);
          if (combine == Combine::kAccumulate) v += before[i];
          ASSERT_EQ(y[i], v) << width << " " << i;
        }
      }
    }
  }
}

TEST(Bf16Test, RoundsToNearestEvenAndKeepsWhatIsNoNumber) {
  const std::vector<std::pair<float, uint16_t>> cases = {{1.0F, 0x3F80},
                                                         {-2.0F, 0xC000},
                                                         {0.0F, 0},
                                                         {-0.0F, 0x8000},
                                                         {0x1.01p0F, 0x3F80},  // half way: to even
                                                         {0x1.03p0F, 0x3F82},
                                                         {0x1.010002p0F, 0x3F81},
                                                         {kInfinity, 0x7F80},
                                                         {-kInfinity, 0xFF80},
                                                         {std::numeric_limits<float>::max(), 0x7F80}};
  for (size_t copies : {1, 40}) {  // scalar tail, vectors
    for (const auto& [value, expected] : cases) {
      const std::vector<float> x(copies, value);
      std::vector<uint16_t> half(copies);
      std::vector<float> back(copies);
      ToBf16(x.data(), static_cast<int64_t>(copies), half.data());
      FromBf16(half.data(), static_cast<int64_t>(copies), back.data());
      for (size_t i = 0; i < copies; ++i) EXPECT_EQ(half[i], expected) << value;
      if ((expected & 0x7FFF) != 0x7F80) {
        EXPECT_NEAR(back[0], value, std::abs(value) * 0x1p-8F);
      }
    }
    // A NaN whose payload lies only in the bits that are cut off.
    const std::vector<float> x(copies, std::bit_cast<float>(0x7F800001U));
    std::vector<uint16_t> half(copies);
    std::vector<float> back(copies);
    ToBf16(x.data(), static_cast<int64_t>(copies), half.data());
    FromBf16(half.data(), static_cast<int64_t>(copies), back.data());
    for (const float v : back) EXPECT_TRUE(std::isnan(v));
  }
}

}  // namespace
}  // namespace tutti
