#include "nn/weight_panels.h"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>

#include "nn/linear.h"
#include "nn/panel_kernel.h"
#include "nn/quantise.h"
#include "tests/support/random.h"

namespace tutti {
namespace {

using testing::RandomFloats;

class WeightPanelsTest : public ::testing::TestWithParam<std::pair<int64_t, int64_t>> {
 protected:
  void SetUp() override {
    std::tie(out_, in_) = GetParam();
    const auto elements = static_cast<size_t>(out_ * in_);
    rows_.resize(elements);
    scales_.resize(static_cast<size_t>(out_));
    QuantiseWeights(RandomFloats(out_ * in_, 1).data(), out_, in_, rows_.data(), scales_.data());
    // As a mapped file has it: at the start of a cache line.
    panels_ = {static_cast<int8_t*>(std::aligned_alloc(64, elements)), [](int8_t* bytes) { std::free(bytes); }};
    PanelsFromRows(rows_.data(), out_, in_, panels_.get());
  }

  WeightMatrix Rows() const { return {.type = ComputeType::kInt8, .data = rows_.data(), .scales = scales_.data()}; }
  WeightMatrix Panels() const {
    return {.type = ComputeType::kInt8,
            .data = panels_.get(),
            .scales = scales_.data(),
            .order = WeightOrder::kPanels,
            .owner = panels_};
  }
  Linear Create(const WeightMatrix& weights, ComputeType type) const {
    auto linear = Linear::Create(weights, nullptr, out_, in_, {.type = type});
    EXPECT_TRUE(linear.ok()) << linear.status();
    return *std::move(linear);
  }

  int64_t out_ = 0, in_ = 0;
  std::vector<int8_t> rows_;
  std::vector<float> scales_;
  std::shared_ptr<int8_t> panels_;
};

TEST_P(WeightPanelsTest, RowsComeBack) {
  std::vector<int8_t> again(rows_.size());
  RowsFromPanels(panels_.get(), out_, in_, again.data());
  EXPECT_EQ(again, rows_);
  EXPECT_EQ(panels_.get()[4], rows_[static_cast<size_t>(in_)]) << "four inputs of the second output";
}

TEST_P(WeightPanelsTest, SumsAreThoseOfTheRows) {
  const auto sums = SumsOfRows(Panels(), out_, in_);
  EXPECT_EQ(sums, SumsOfRows(Rows(), out_, in_));
  for (int64_t o = 0; o < out_; ++o) {
    const auto row = rows_.begin() + o * in_;
    ASSERT_EQ(sums[static_cast<size_t>(o)], static_cast<float>(std::accumulate(row, row + in_, 0)));
  }
}

TEST_P(WeightPanelsTest, ALayerOfPanelsIsThatOfTheRowsToTheLastBit) {
  constexpr int64_t kCount = 37;
  const auto x = RandomFloats(kCount * in_, 2);
  Workspace workspace;
  for (const ComputeType type : {ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8}) {
    std::vector<float> from_rows(static_cast<size_t>(kCount * out_)), from_panels(from_rows.size());
    Create(Rows(), type).Run(x.data(), kCount, from_rows.data(), workspace);
    Create(Panels(), type).Run(x.data(), kCount, from_panels.data(), workspace);
    EXPECT_EQ(from_rows, from_panels) << Name(type);
  }
}

TEST_P(WeightPanelsTest, TheKernelUsesPanelsWhereTheyAreForAsLongAsItNeedsThem) {
  const bool in_place = HasPanelKernel(ComputeType::kInt8);
  {
    const Linear linear = Create(Panels(), ComputeType::kInt8);
    EXPECT_EQ(panels_.use_count(), in_place ? 2 : 1);
    WeightMatrix unowned = Panels();
    unowned.owner = nullptr;
    const Linear copy = Create(unowned, ComputeType::kInt8);
    EXPECT_EQ(panels_.use_count(), in_place ? 2 : 1);
  }
  EXPECT_EQ(panels_.use_count(), 1);
}

INSTANTIATE_TEST_SUITE_P(Shapes, WeightPanelsTest,
                         ::testing::Values(std::pair(64, 64), std::pair(192, 64), std::pair(64, 256), std::pair(128, 4),
                                           std::pair(192, 36), std::pair(512, 128), std::pair(1536, 512)));

}  // namespace
}  // namespace tutti
