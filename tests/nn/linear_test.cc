#include "nn/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>

#include "tests/support/random.h"

namespace tutti {
namespace {

using testing::RandomFloats;

struct Shape {
  int64_t in, out;
};

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

TEST_P(LinearTest, ARowHasTheSameBitsWhereverItStandsAndHoweverManyThereAre) {
  const Shape shape = GetParam();
  const Linear linear = Create();
  const auto width = static_cast<size_t>(shape.out);
  std::vector<float> whole(static_cast<size_t>(kRows) * width);
  linear.Run(x_.data(), kRows, whole.data(), workspace_);
  for (int64_t rows = 1; rows <= kRows; rows += rows < 70 ? 1 : 9) {
    for (const int64_t first : {int64_t{0}, kRows - rows, (kRows - rows) / 3}) {
      std::vector<float> part(static_cast<size_t>(rows) * width);
      linear.Run(x_.data() + first * shape.in, rows, part.data(), workspace_);
      ASSERT_EQ(
          0, std::memcmp(part.data(), whole.data() + static_cast<size_t>(first) * width, part.size() * sizeof(float)))
          << rows << " rows from " << first << " on " << LinearIsa();
    }
  }
}

TEST_P(LinearTest, ReluCutsBelowZeroAndAccumulateAddsToWhatIsThere) {
  const Shape shape = GetParam();
  const size_t size = static_cast<size_t>(kRows * shape.out);
  std::vector<float> plain(size), relu(size);
  Create().Run(x_.data(), kRows, plain.data(), workspace_);
  Create({.relu = true}).Run(x_.data(), kRows, relu.data(), workspace_);
  const std::vector<float> before = RandomFloats(kRows * shape.out, 4);
  std::vector<float> sum = before;
  Create({.accumulate = true}).Run(x_.data(), kRows, sum.data(), workspace_);
  for (size_t i = 0; i < size; ++i) {
    ASSERT_EQ(relu[i], std::max(plain[i], 0.0F));
    ASSERT_NEAR(sum[i], before[i] + plain[i], 1e-5 * (1 + std::abs(plain[i])));
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

TEST(LinearOptionsTest, ImpossibleShapesAndOptionsAreRefused) {
  const float one = 1;
  EXPECT_EQ(Linear::Create(&one, nullptr, 0, 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Linear::Create(&one, nullptr, 1, 1, {.relu = true, .accumulate = true}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tutti
