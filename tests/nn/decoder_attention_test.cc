// Attention of single queries: to a hypothesis' own pages, and to the memory of an utterance.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "nn/cross_attention.h"
#include "nn/paged_attention.h"
#include "tests/support/random.h"

namespace tutti {
namespace {

using testing::RandomFloats;

// One head in float64.
std::vector<double> ScalarHead(const float* q, const float* k, const float* v, int64_t stride, int64_t keys, int64_t dk,
                               double scale) {
  std::vector<double> scores(static_cast<size_t>(keys)), out(static_cast<size_t>(dk));
  for (int64_t t = 0; t < keys; ++t) {
    for (int64_t c = 0; c < dk; ++c) scores[static_cast<size_t>(t)] += static_cast<double>(q[c]) * k[t * stride + c];
  }
  const double max = *std::ranges::max_element(scores);
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(scale * (score - max));
  for (int64_t t = 0; t < keys; ++t) {
    for (int64_t c = 0; c < dk; ++c) {
      out[static_cast<size_t>(c)] += scores[static_cast<size_t>(t)] / sum * static_cast<double>(v[t * stride + c]);
    }
  }
  return out;
}

TEST(PagedAttentionTest, AgreesWithTheScalarTwinAtEveryLengthAndWidth) {
  Workspace workspace;
  for (const auto& [heads, dk] : {std::pair<int64_t, int64_t>{1, 4}, {2, 32}, {3, 24}, {8, 64}, {2, 10}}) {
    const AttentionShape shape = {heads, dk};
    const int64_t width = heads * dk, layers = 2, tokens = 50;
    KvPool pool(layers, width, int64_t{1} << 24);
    const auto keys = RandomFloats(tokens * width, 1), values = RandomFloats(tokens * width, 2);
    KvSequence sequence(pool);
    for (int64_t t = 0; t < tokens; ++t) {
      sequence.Extend(1);
      for (int64_t layer = 0; layer < layers; ++layer) {
        sequence.Put(layer, t, keys.data() + t * width, values.data() + t * width);
      }
    }
    const auto q = RandomFloats(width, 3, 2);
    const float scale = 1 / std::sqrt(static_cast<float>(dk));
    for (const int64_t seen : {1, 2, 15, 16, 17, 31, 32, 33, 50}) {
      std::vector<float> out(static_cast<size_t>(width));
      PagedAttention(q.data(), sequence, 1, seen, shape, scale, out.data(), workspace);
      for (int64_t h = 0; h < heads; ++h) {
        const auto expected =
            ScalarHead(q.data() + h * dk, keys.data() + h * dk, values.data() + h * dk, width, seen, dk, scale);
        for (int64_t c = 0; c < dk; ++c) {
          ASSERT_NEAR(out[static_cast<size_t>(h * dk + c)], expected[static_cast<size_t>(c)], 2e-5)
              << heads << " × " << dk << ", " << seen << " keys";
        }
      }
    }
  }
}

class CrossAttentionTest : public ::testing::TestWithParam<ComputeType> {};

TEST_P(CrossAttentionTest, AgreesWithTheScalarTwinAndDoesNotDependOnTheOtherQueries) {
  const double tolerance = GetParam() == ComputeType::kF32 ? 2e-5 : 5e-2;
  Workspace workspace;
  for (const auto& [dk, keys] :
       {std::pair<int64_t, int64_t>{4, 1}, {32, 15}, {64, 16}, {24, 100}, {64, 333}, {10, 40}}) {
    const int64_t heads = 2, width = heads * dk, layers = 2, rows = 7;
    const auto k = RandomFloats(keys * width, 4), v = RandomFloats(keys * width, 5),
               q = RandomFloats(rows * width, 6, 2);
    CrossMemory memory(layers, keys, {heads, dk}, GetParam());
    for (int64_t first = 0; first < keys; first += 10) {
      memory.Put(1, first, std::min<int64_t>(10, keys - first), k.data() + first * width, v.data() + first * width,
                 width);
    }
    const float scale = 1 / std::sqrt(static_cast<float>(dk));
    for (int64_t h = 0; h < heads; ++h) {
      std::vector<float> out(static_cast<size_t>(rows * width)), weights(static_cast<size_t>(rows * keys));
      CrossAttentionHead(q.data() + h * dk, width, rows, memory, 1, h, scale, out.data(), width, weights.data(),
                         workspace);
      for (int64_t r = 0; r < rows; ++r) {
        const auto expected =
            ScalarHead(q.data() + r * width + h * dk, k.data() + h * dk, v.data() + h * dk, width, keys, dk, scale);
        std::vector<float> alone(static_cast<size_t>(dk));
        CrossAttentionHead(q.data() + r * width + h * dk, width, 1, memory, 1, h, scale, alone.data(), width, nullptr,
                           workspace);
        double sum = 0;
        for (int64_t t = 0; t < keys; ++t) sum += static_cast<double>(weights[static_cast<size_t>(r * keys + t)]);
        EXPECT_NEAR(sum, 1, 1e-5);
        for (int64_t c = 0; c < dk; ++c) {
          ASSERT_NEAR(out[static_cast<size_t>(r * width + c)], expected[static_cast<size_t>(c)], tolerance)
              << dk << ", " << keys << " keys, row " << r;
          ASSERT_EQ(out[static_cast<size_t>(r * width + c)], alone[static_cast<size_t>(c)]);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, CrossAttentionTest,
                         ::testing::Values(ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8));

TEST_P(CrossAttentionTest, RowsThatComeTogetherAreKeptAsOnesThatComeAlone) {
  Workspace workspace;
  for (const auto& [dk, keys] : {std::pair<int64_t, int64_t>{64, 50}, {40, 64}, {12, 37}}) {
    const auto k = RandomFloats(keys * dk, 4), v = RandomFloats(keys * dk, 5), q = RandomFloats(dk, 6, 2);
    CrossMemory together(1, keys, {1, dk}, GetParam()), alone(1, keys, {1, dk}, GetParam());
    together.Put(0, 0, 33, k.data(), v.data(), dk);
    together.Put(0, 33, keys - 33, k.data() + 33 * dk, v.data() + 33 * dk, dk);
    for (int64_t t = 0; t < keys; ++t) alone.Put(0, t, 1, k.data() + t * dk, v.data() + t * dk, dk);
    std::vector<float> of_together(static_cast<size_t>(dk)), of_alone(of_together.size());
    CrossAttentionHead(q.data(), dk, 1, together, 0, 0, 0.3F, of_together.data(), dk, nullptr, workspace);
    CrossAttentionHead(q.data(), dk, 1, alone, 0, 0, 0.3F, of_alone.data(), dk, nullptr, workspace);
    EXPECT_EQ(of_together, of_alone) << dk << ", " << keys << " keys";
  }
}

TEST(CrossMemoryTest, WithoutRowsGivesZeros) {
  Workspace workspace;
  const CrossMemory memory(1, 0, {1, 4}, ComputeType::kInt8);
  const auto q = RandomFloats(4, 7);
  std::vector<float> out(4, 1.0F);
  CrossAttentionHead(q.data(), 4, 1, memory, 0, 0, 1, out.data(), 4, nullptr, workspace);
  EXPECT_EQ(out, std::vector<float>(4, 0.0F));
}

TEST(CrossMemoryTest, TakesAQuarterInInt8ButForTheScales) {
  const AttentionShape shape = {8, 64};
  EXPECT_EQ(CrossMemory::Bytes(6, 1504, shape, ComputeType::kF32), 6 * 8 * 1504 * 2 * 64 * 4);
  EXPECT_EQ(CrossMemory::Bytes(6, 1504, shape, ComputeType::kBf16), 6 * 8 * 1504 * 2 * 64 * 2);
  EXPECT_EQ(CrossMemory::Bytes(6, 1504, shape, ComputeType::kInt8), 6 * 8 * 1504 * 2 * (64 + 4));
}

}  // namespace
}  // namespace tutti
