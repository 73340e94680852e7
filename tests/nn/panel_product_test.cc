#include "nn/panel_product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "nn/matrix_product.h"
#include "nn/panel_kernel.h"
#include "tests/support/random.h"

namespace tutti {
namespace {

using testing::RandomFloats;

// Sums of integers have one value, and both ways end in the same formula.
TEST(PanelProductTest, Int8HasTheBitsOfOneDnnsSumsAndTheirDequantisation) {
  if (!HasPanelKernel(ComputeType::kInt8)) {
    EXPECT_FALSE(DetectProductIsa().avx512 && DetectProductIsa().vnni);
    return;
  }
  struct Shape {
    int64_t rows, in, out;
  };
  for (const auto [rows, in, out] : {Shape{1, 512, 64}, Shape{131, 560, 96}, Shape{25, 2048, 512}, Shape{13, 7, 33}}) {
    const auto weight = RandomFloats(in * out, 1), x = RandomFloats(rows * in, 2), bias = RandomFloats(out, 3);
    const auto before = RandomFloats(rows * out, 4);
    std::vector<int8_t> q(weight.size());
    std::vector<float> scales(static_cast<size_t>(out)), column_sums(static_cast<size_t>(out));
    QuantiseWeights(weight.data(), out, in, q.data(), scales.data());
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t i = 0; i < in; ++i) column_sums[static_cast<size_t>(o)] += q[static_cast<size_t>(o * in + i)];
    }
    const WeightMatrix stored = {.type = ComputeType::kInt8, .data = q.data(), .scales = scales.data()};
    Workspace workspace;

    std::vector<uint8_t> levels(x.size());
    std::vector<RowScale> row_scales(static_cast<size_t>(rows));
    QuantiseRows(x.data(), rows, in, 255, levels.data(), row_scales.data());
    const auto product = MatrixProduct::Create(stored, nullptr, out, in, Combine::kStore);
    ASSERT_TRUE(product.ok()) << product.status();
    std::vector<int32_t> sums(before.size());
    product->Run(levels.data(), rows, sums.data(), workspace);

    for (const Combine combine : {Combine::kStore, Combine::kRelu, Combine::kAccumulate}) {
      auto expected = before, found = before;
      DequantiseRows(sums.data(), rows, row_scales.data(), {scales, column_sums, bias.data()}, combine,
                     expected.data());
      WeightArena arena;
      const auto panels = PanelProduct::Create(stored, ComputeType::kInt8, bias.data(), out, in, combine, arena);
      ASSERT_TRUE(panels.ok()) << panels.status();
      (*panels)->Run(x.data(), in, rows, found.data(), out, workspace);
      EXPECT_EQ(found, expected) << rows << " x " << in << " x " << out;
    }
  }
}

TEST(PanelProductTest, WritesNothingBetweenTheRows) {
  constexpr int64_t kRows = 29, kIn = 70, kOut = 45, kInStride = 75, kOutStride = 61;
  const auto weight = RandomFloats(kIn * kOut, 1), x = RandomFloats(kRows * kInStride, 2);
  if (!HasPanelKernel(ComputeType::kF32)) {
    EXPECT_FALSE(DetectProductIsa().avx512);
    return;
  }
  WeightArena arena;
  Workspace workspace;
  const auto product =
      PanelProduct::Create({.data = weight.data()}, ComputeType::kF32, nullptr, kOut, kIn, Combine::kStore, arena);
  ASSERT_TRUE(product.ok()) << product.status();
  std::vector<float> wide(kRows * kOutStride, -1.0F), dense(kRows * kOut), packed;
  for (int64_t r = 0; r < kRows; ++r)
    packed.insert(packed.end(), x.data() + r * kInStride, x.data() + r * kInStride + kIn);
  (*product)->Run(x.data(), kInStride, kRows, wide.data(), kOutStride, workspace);
  (*product)->Run(packed.data(), kIn, kRows, dense.data(), kOut, workspace);
  for (int64_t r = 0; r < kRows; ++r) {
    const float* row = wide.data() + r * kOutStride;
    EXPECT_TRUE(std::equal(row, row + kOut, dense.data() + r * kOut)) << r;
    EXPECT_TRUE(std::all_of(row + kOut, row + kOutStride, [](float v) { return v == -1.0F; })) << r;
  }
}

}  // namespace
}  // namespace tutti
