#include "nn/token_ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/random.h"

namespace tutti {
namespace {

using testing::RandomFloats;

constexpr int64_t kRowWidths[] = {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 48, 64, 100, 192, 560};

TEST(GeluTest, AgreesWithErfOverTheWholeRange) {
  std::vector<float> x;
  for (double at = -12; at <= 12; at += 0.00037) x.push_back(static_cast<float>(at));
  for (const float extreme : {0.0F, -0.0F, 1e-30F, -1e30F, 1e30F, 3.4e38F}) x.push_back(extreme);
  auto y = x;
  Gelu(y.data(), static_cast<int64_t>(y.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    const double expected = 0.5 * x[i] * (1 + std::erf(x[i] / std::sqrt(2.0)));
    ASSERT_NEAR(y[i], expected, 1e-6 * std::max(1.0, std::abs(static_cast<double>(x[i])))) << x[i];
  }
}

TEST(GeluTest, OfAValueDoesNotDependOnItsPlace) {
  const auto x = RandomFloats(67, 8, 2);
  auto together = x;
  Gelu(together.data(), static_cast<int64_t>(together.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    float alone = x[i];
    Gelu(&alone, 1);
    ASSERT_EQ(alone, together[i]) << i;
  }
}

TEST(LogSumExpTest, AgreesWithTheScalarTwinAndPassesOverTheLowestFloats) {
  for (const int64_t width : kRowWidths) {
    auto x = RandomFloats(width + 1, 9, 20);
    x.back() = std::numeric_limits<float>::lowest();
    double max = *std::ranges::max_element(x), sum = 0;
    for (const float value : x) sum += std::exp(value - max);
    ASSERT_NEAR(LogSumExp(x.data(), width + 1), max + std::log(sum), 1e-4) << width;
  }
}

TEST(TopKTest, FindsTheLargestInOrderAndTheLowestIndexOnTies) {
  for (const int64_t width : kRowWidths) {
    auto x = RandomFloats(width, 10);
    for (float& value : x) value = std::round(value * 2);  // ties
    std::vector<int64_t> order(x.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
    std::ranges::stable_sort(
        order, [&](int64_t a, int64_t b) { return x[static_cast<size_t>(a)] > x[static_cast<size_t>(b)]; });
    for (const int64_t count : {int64_t{1}, std::min<int64_t>(width, 10), width}) {
      std::vector<ArgMaxResult> best(static_cast<size_t>(count));
      TopK(x.data(), width, count, best.data());
      for (size_t i = 0; i < best.size(); ++i) {
        ASSERT_EQ(best[i].index, order[i]) << width << ", " << count << ", " << i;
        ASSERT_EQ(best[i].value, x[static_cast<size_t>(order[i])]);
      }
    }
  }
}

}  // namespace
}  // namespace tutti
