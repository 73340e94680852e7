#include "nn/weight_convert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "nn/linear.h"
#include "nn/quantise.h"
#include "nn/weight_panels.h"
#include "tests/support/random.h"

namespace tutti {
namespace {

using testing::RandomFloats;

constexpr int64_t kOut = 320, kIn = 68;
constexpr uint16_t kHalfOfOne = 0x3800, kMinusTwo = 0xC000;

std::vector<float> Floats(const WeightMatrix& rows, int64_t count) {
  const auto* data = static_cast<const float*>(rows.data);
  return {data, data + count * kIn};
}

TEST(WeightConverterTest, RowsInTheirOwnTypeAreTheMatrixItself) {
  const auto weights = RandomFloats(kOut * kIn, 1);
  WeightConverter converter;
  EXPECT_EQ(converter.Rows({.data = weights.data()}, ComputeType::kF32, 32, 7, kIn).data, weights.data() + 32 * kIn);
}

TEST(WeightConverterTest, HalvesNeedNoAlignment) {
  std::vector<std::byte> bytes(2 * kOut * kIn + 1);
  for (int64_t i = 0; i < kOut * kIn; ++i) {
    std::memcpy(bytes.data() + 1 + 2 * i, i % 2 == 0 ? &kHalfOfOne : &kMinusTwo, 2);
  }
  const WeightMatrix halves = {.data = bytes.data() + 1, .is_half = true};
  WeightConverter converter;
  const auto found = Floats(converter.Rows(halves, ComputeType::kF32, 64, 3, kIn), 3);
  for (size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], i % 2 == 0 ? 0.5F : -2.0F) << i;
}

TEST(WeightConverterTest, RowsOfPartsAreThoseOfTheWhole) {
  const auto weights = RandomFloats(kOut * kIn, 2);
  std::vector<int8_t> q(weights.size()), panels(weights.size());
  std::vector<float> scales(kOut);
  QuantiseWeights(weights.data(), kOut, kIn, q.data(), scales.data());
  PanelsFromRows(q.data(), kOut, kIn, panels.data());
  std::vector<uint16_t> bf16(weights.size());
  ToBf16(weights.data(), kOut * kIn, bf16.data());
  const std::vector<WeightMatrix> forms = {
      {.data = weights.data()},
      {.type = ComputeType::kBf16, .data = bf16.data()},
      {.type = ComputeType::kInt8, .data = q.data(), .scales = scales.data()},
      {.type = ComputeType::kInt8, .data = panels.data(), .scales = scales.data(), .order = WeightOrder::kPanels}};
  for (const WeightMatrix& form : forms) {
    for (const ComputeType to : {ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8}) {
      WeightConverter whole, part;
      const WeightMatrix all = whole.Rows(form, to, 0, kOut, kIn);
      constexpr int64_t kFirst = 96, kCount = 64;
      const WeightMatrix some = part.Rows(form, to, kFirst, kCount, kIn);
      EXPECT_EQ(some.type, to);
      EXPECT_EQ(some.order, WeightOrder::kRows);
      const int64_t bytes = to == ComputeType::kF32 ? 4 : to == ComputeType::kBf16 ? 2 : 1;
      const auto* expected = static_cast<const std::byte*>(all.data) + kFirst * kIn * bytes;
      EXPECT_EQ(0, std::memcmp(some.data, expected, static_cast<size_t>(kCount * kIn * bytes)));
      if (to != ComputeType::kInt8) continue;
      EXPECT_TRUE(std::equal(some.scales, some.scales + kCount, all.scales + kFirst));
    }
  }
}

TEST(WeightConverterTest, AProductOfHalvesIsThatOfTheirFloats) {
  const int64_t rows = 9;
  std::vector<uint16_t> halves(kOut * kIn);
  std::vector<float> floats(halves.size());
  for (size_t i = 0; i < halves.size(); ++i) {
    halves[i] = static_cast<uint16_t>(0x3000 + i * 37 % 0x0C00);  // 0.125 … 2
    if (i % 3 == 0) halves[i] |= 0x8000;
  }
  const WeightMatrix stored = {.data = halves.data(), .is_half = true};
  WeightConverter converter;
  floats = Floats(converter.Rows(stored, ComputeType::kF32, 0, kOut, kIn), kOut);
  const auto x = RandomFloats(rows * kIn, 3);
  for (const ComputeType type : {ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8}) {
    const auto run = [&](const WeightMatrix& weights) {
      const auto linear = Linear::Create(weights, nullptr, kOut, kIn, {.type = type});
      EXPECT_TRUE(linear.ok()) << linear.status();
      std::vector<float> y(static_cast<size_t>(rows * kOut));
      Workspace workspace;
      linear->Run(x.data(), rows, y.data(), workspace);
      return y;
    };
    EXPECT_EQ(run(stored), run({.data = floats.data()}));
  }
}

}  // namespace
}  // namespace tutti
