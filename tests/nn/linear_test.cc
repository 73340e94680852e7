#include "nn/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>

#include "nn/matrix_product.h"
#include "nn/team.h"
#include "tests/support/random.h"

namespace tutti {
namespace {

using testing::RandomFloats;

struct Shape {
  int64_t in, out;
};
constexpr ComputeType kTypes[] = {ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8};

// Every width that the models have, and some that fit no vector.
const Shape kShapes[] = {{560, 1536}, {512, 2048}, {2048, 512}, {192, 576}, {64, 64}, {400, 140},
                         {140, 250},  {250, 128},  {140, 248},  {7, 3},     {1, 1},   {33, 1}};

double Expected(const std::vector<float>& x, const std::vector<float>& w, const std::vector<float>& b, Shape shape,
                int64_t row, int64_t column) {
  double sum = b[static_cast<size_t>(column)];
  for (int64_t i = 0; i < shape.in; ++i) {
    sum +=
        static_cast<double>(x[static_cast<size_t>(row * shape.in + i)]) * w[static_cast<size_t>(column * shape.in + i)];
  }
  return sum;
}

class LinearTest : public ::testing::TestWithParam<Shape> {
 protected:
  static constexpr int64_t kRows = 151;

  void SetUp() override {
    const Shape shape = GetParam();
    x_ = RandomFloats(kRows * shape.in, 1);
    weight_ = RandomFloats(shape.in * shape.out, 2);
    bias_ = RandomFloats(shape.out, 3);
  }
  Linear Create(LinearOptions options = {}) {
    auto linear = Linear::Create(weight_.data(), bias_.data(), GetParam().out, GetParam().in, options);
    EXPECT_TRUE(linear.ok()) << linear.status();
    return *std::move(linear);
  }

  std::vector<float> x_, weight_, bias_;
  Workspace workspace_;
};

TEST_P(LinearTest, AgreesWithTheScalarProduct) {
  const Shape shape = GetParam();
  std::vector<float> y(static_cast<size_t>(kRows * shape.out));
  Create().Run(x_.data(), kRows, y.data(), workspace_);
  const double tolerance = 2e-6 * static_cast<double>(shape.in) + 1e-5;
  for (int64_t row = 0; row < kRows; row += 29) {
    for (int64_t column = 0; column < shape.out; column += 5) {
      ASSERT_NEAR(y[static_cast<size_t>(row * shape.out + column)], Expected(x_, weight_, bias_, shape, row, column),
                  tolerance)
          << row << "," << column;
    }
  }
}

// A rounding error of a narrow type is about as large for a term as for its neighbour, and as often up as down: the
// error of a sum grows with the root of their number.
TEST_P(LinearTest, NarrowTypesAreAsCloseAsTheirRoundingAllows) {
  const Shape shape = GetParam();
  for (const ComputeType type : {ComputeType::kBf16, ComputeType::kInt8}) {
    std::vector<float> y(static_cast<size_t>(kRows * shape.out));
    Create({.type = type}).Run(x_.data(), kRows, y.data(), workspace_);
    double squares = 0;
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t column = 0; column < shape.out; column += 5) {
        const double error =
            y[static_cast<size_t>(row * shape.out + column)] - Expected(x_, weight_, bias_, shape, row, column);
        squares += error * error;
      }
    }
    const int64_t columns = (shape.out + 4) / 5;
    const auto count = static_cast<double>(kRows * columns);
    // Values are normal. bf16's step is 2^-8 of each; int8 shares the range, about ±4, between its 255 or 127 levels.
    const double bound = type == ComputeType::kInt8 ? (DetectProductIsa().vnni ? 0.016 : 0.025) : 0.004;
    EXPECT_LT(std::sqrt(squares / count), bound * (std::sqrt(static_cast<double>(shape.in)) + 1)) << Name(type);
  }
}

TEST_P(LinearTest, ARowHasTheSameBitsWhereverItStandsAndHoweverManyThereAre) {
  const Shape shape = GetParam();
  const auto width = static_cast<size_t>(shape.out);
  for (const ComputeType type : kTypes) {
    if (ResolveComputeType(type) != type) continue;  // f32 again
    const Linear linear = Create({.type = type});
    std::vector<float> whole(static_cast<size_t>(kRows) * width);
    linear.Run(x_.data(), kRows, whole.data(), workspace_);
    // About the heights of blocks, and what they leave over.
    for (const int64_t rows : {1,  2,  3,  4,  5,  6,  7,  11, 12, 13, 16,  17,  20,  25,  31,  32,
                               47, 48, 49, 53, 63, 64, 65, 70, 83, 96, 101, 115, 127, 128, 129, 151}) {
      for (const int64_t first : {int64_t{0}, kRows - rows, (kRows - rows) / 3}) {
        std::vector<float> part(static_cast<size_t>(rows) * width);
        linear.Run(x_.data() + first * shape.in, rows, part.data(), workspace_);
        ASSERT_EQ(
            0, std::memcmp(part.data(), whole.data() + static_cast<size_t>(first) * width, part.size() * sizeof(float)))
            << rows << " rows from " << first << ", " << Name(type) << " on " << DetectProductIsa().name;
      }
    }
  }
}

TEST_P(LinearTest, RowsThatLieApartHaveTheBitsOfDenseOnes) {
  const auto [in, out] = GetParam();
  const int64_t stride = in + 5;
  std::vector<float> apart(static_cast<size_t>(kRows * stride), -3.0F);
  for (int64_t row = 0; row < kRows; ++row) std::copy_n(x_.data() + row * in, in, apart.data() + row * stride);
  for (const ComputeType type : kTypes) {
    const Linear linear = Create({.type = type});
    std::vector<float> dense_y(static_cast<size_t>(kRows * out)), apart_y(dense_y.size());
    linear.Run(x_.data(), kRows, dense_y.data(), workspace_);
    linear.Run(apart.data(), stride, kRows, apart_y.data(), out, workspace_);
    EXPECT_TRUE(dense_y == apart_y) << Name(type);
  }
}

TEST_P(LinearTest, ATeamThatSharesTheOutputsHasTheBitsOfOneThread) {
  const auto [in, out] = GetParam();
  const int64_t stride = Linear::RowStride(ComputeType::kInt8, out);
  Team team(2);
  Workspace with_team;
  with_team.set_team(&team);
  for (const ComputeType type : kTypes) {
    const Linear linear = Create({.accumulate = true, .type = type});
    for (const int64_t rows : {1, 3, 17, 64}) {
      const auto before = RandomFloats(rows * stride, 5);
      auto alone = before, shared = before;
      linear.Run(x_.data(), in, rows, alone.data(), stride, workspace_);
      linear.RunByOutputs(x_.data(), in, rows, shared.data(), stride, with_team);
      EXPECT_TRUE(shared == alone) << rows << " rows, " << Name(type);
    }
  }
}

TEST_P(LinearTest, TellsTheWeightsThatItMultipliesBy) {
  const auto [in, out] = GetParam();
  std::vector<float> one(static_cast<size_t>(in)), found(one.size()), sums(static_cast<size_t>(out));
  for (const ComputeType type : kTypes) {
    const Linear linear = Create({.type = type});
    if (!linear.has_weights()) continue;
    // Rounded to bf16, or to steps of the 127th part of the largest.
    const double share = type == ComputeType::kF32 ? 0 : type == ComputeType::kBf16 ? 1.0 / 256 : 0.51 / 127;
    for (int64_t o = 0; o < out; o += 7) {
      linear.Weights(o, found.data());
      const float* expected = weight_.data() + o * in;
      double largest = 0;
      for (int64_t i = 0; i < in; ++i) largest = std::max<double>(largest, std::abs(expected[i]));
      for (int64_t i = 0; i < in; ++i) {
        ASSERT_NEAR(found[static_cast<size_t>(i)], expected[i], share * largest) << o << "," << i << " " << Name(type);
      }
    }
  }
}

TEST_P(LinearTest, ReluCutsBelowZeroAndAccumulateAddsToWhatIsThere) {
  const Shape shape = GetParam();
  const size_t size = static_cast<size_t>(kRows * shape.out);
  for (const ComputeType type : kTypes) {
    std::vector<float> plain(size), relu(size);
    Create({.type = type}).Run(x_.data(), kRows, plain.data(), workspace_);
    Create({.relu = true, .type = type}).Run(x_.data(), kRows, relu.data(), workspace_);
    const std::vector<float> before = RandomFloats(kRows * shape.out, 4);
    std::vector<float> sum = before;
    Create({.accumulate = true, .type = type}).Run(x_.data(), kRows, sum.data(), workspace_);
    for (size_t i = 0; i < size; ++i) {
      ASSERT_EQ(relu[i], std::max(plain[i], 0.0F)) << Name(type);
      ASSERT_NEAR(sum[i], before[i] + plain[i], 1e-5 * (1 + std::abs(plain[i]))) << Name(type);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, LinearTest, ::testing::ValuesIn(kShapes), [](const auto& info) {
  return std::to_string(info.param.in) + "to" + std::to_string(info.param.out);
});

TEST(LinearThreadsTest, OneLayerServesManyThreadsAtOnce) {
  constexpr int64_t kIn = 96, kOut = 80, kRows = 37;
  const auto weight = RandomFloats(kIn * kOut, 5), x = RandomFloats(kIn * kRows, 6);
  const auto linear = Linear::Create(weight.data(), nullptr, kOut, kIn);
  ASSERT_TRUE(linear.ok());
  Workspace workspace;
  std::vector<float> expected(kOut * kRows);
  linear->Run(x.data(), kRows, expected.data(), workspace);
  std::vector<std::vector<float>> results(8, std::vector<float>(kOut * kRows));
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&linear, &x, &result] {
      Workspace own;
      for (int i = 0; i < 50; ++i) linear->Run(x.data(), kRows, result.data(), own);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

// u8·s8 products summed in pairs of 16 bits overflow at these values, as AVX2's do; sums of 32 bits hold them.
TEST(LinearInt8Test, TheLargestActivationsAndWeightsDoNotSaturate) {
  constexpr int64_t kOut = 48, kRows = 5;
  for (const int64_t in : {2, 64, 2048}) {
    std::vector<float> weight(static_cast<size_t>(kOut * in)), x(static_cast<size_t>(kRows * in), 1.0F);
    for (int64_t o = 0; o < kOut; ++o) {
      std::fill_n(weight.begin() + o * in, in, o % 2 == 0 ? 1.0F : -1.0F);
    }
    std::fill_n(x.begin() + in, in, -1.0F);
    const auto linear = Linear::Create(weight.data(), nullptr, kOut, in, {.type = ComputeType::kInt8});
    ASSERT_TRUE(linear.ok());
    Workspace workspace;
    std::vector<float> y(static_cast<size_t>(kRows * kOut));
    linear->Run(x.data(), kRows, y.data(), workspace);
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t o = 0; o < kOut; ++o) {
        const auto expected = static_cast<float>((o % 2 == 0) == (row != 1) ? in : -in);
        ASSERT_NEAR(y[static_cast<size_t>(row * kOut + o)], expected, 1e-5 * static_cast<double>(in))
            << in << " inputs, row " << row << ", output " << o << " on " << DetectProductIsa().name;
      }
    }
  }
}

TEST(LinearInt8Test, WeightsThatComeQuantisedGiveTheSameBits) {
  if (ResolveComputeType(ComputeType::kInt8) != ComputeType::kInt8) return;  // f32 takes them as what they stand for
  constexpr int64_t kIn = 70, kOut = 33, kRows = 9;
  const auto weight = RandomFloats(kIn * kOut, 11), x = RandomFloats(kIn * kRows, 12), bias = RandomFloats(kOut, 13);
  std::vector<int8_t> q(weight.size());
  std::vector<float> scales(kOut);
  QuantiseWeights(weight.data(), kOut, kIn, q.data(), scales.data());
  const WeightMatrix stored = {.type = ComputeType::kInt8, .data = q.data(), .scales = scales.data()};
  Workspace workspace;
  std::vector<float> from_f32(kRows * kOut), from_int8(kRows * kOut);
  const auto a = Linear::Create(weight.data(), bias.data(), kOut, kIn, {.type = ComputeType::kInt8});
  const auto b = Linear::Create(stored, bias.data(), kOut, kIn, {.type = ComputeType::kInt8});
  ASSERT_TRUE(a.ok() && b.ok());
  a->Run(x.data(), kRows, from_f32.data(), workspace);
  b->Run(x.data(), kRows, from_int8.data(), workspace);
  EXPECT_EQ(from_f32, from_int8);
}

TEST(LinearOptionsTest, ImpossibleShapesAndOptionsAreRefused) {
  const float one = 1;
  EXPECT_EQ(Linear::Create(&one, nullptr, 0, 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Linear::Create(&one, nullptr, 1, 1, {.relu = true, .accumulate = true}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tutti
