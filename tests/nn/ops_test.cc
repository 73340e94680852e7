#include "nn/ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "nn/attention_head.h"
#include "nn/matrix_product.h"
#include "nn/quantise.h"
#include "tests/support/random.h"

namespace tutti {
namespace {

using testing::RandomFloats;
using testing::RandomOffsets;

const int64_t kWidths[] = {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 48, 64, 100, 192, 560};

TEST(LayerNormTest, AgreesWithTheScalarTwinAtEveryWidth) {
  for (const int64_t width : kWidths) {
    constexpr int64_t kRows = 3;
    const auto x = RandomFloats(kRows * width, 1, 5), gamma = RandomFloats(width, 2), beta = RandomFloats(width, 3);
    std::vector<float> y(x.size());
    LayerNorm(x.data(), kRows, width, gamma.data(), beta.data(), 1e-5F, y.data());
    for (int64_t row = 0; row < kRows; ++row) {
      const float* in = x.data() + row * width;
      double mean = 0, variance = 0;
      for (int64_t i = 0; i < width; ++i) mean += in[i] / static_cast<double>(width);
      for (int64_t i = 0; i < width; ++i) variance += (in[i] - mean) * (in[i] - mean) / static_cast<double>(width);
      for (int64_t i = 0; i < width; ++i) {
        const auto at = static_cast<size_t>(i);
        ASSERT_NEAR(y[static_cast<size_t>(row * width + i)],
                    (in[i] - mean) / std::sqrt(variance + 1e-5) * gamma[at] + beta[at], 2e-5)
            << width;
      }
    }
  }
}

TEST(SoftmaxTest, AgreesWithTheScalarTwinEvenForExtremeRows) {
  for (const int64_t width : kWidths) {
    auto x = RandomFloats(2 * width, 4, 30);
    x[0] = 1e4F;  // one sure winner
    auto softmax = x, log_softmax = x;
    Softmax(softmax.data(), 2, width);
    LogSoftmax(log_softmax.data(), 2, width);
    for (int64_t row = 0; row < 2; ++row) {
      const float* in = x.data() + row * width;
      const double max = *std::max_element(in, in + width);
      double sum = 0;
      for (int64_t i = 0; i < width; ++i) sum += std::exp(in[i] - max);
      for (int64_t i = 0; i < width; ++i) {
        const auto at = static_cast<size_t>(row * width + i);
        ASSERT_NEAR(softmax[at], std::exp(in[i] - max) / sum, 2e-6) << width;
        ASSERT_NEAR(log_softmax[at], in[i] - max - std::log(sum), 1e-6 * std::abs(in[i] - max) + 1e-4) << width;
      }
    }
  }
}

TEST(ArgMaxTest, FindsTheLowestIndexOfTheLargestValue) {
  for (const int64_t width : kWidths) {
    auto x = RandomFloats(width, 5);
    for (int64_t best = 0; best < width; best += 1 + width / 9) {
      auto y = x;
      y[static_cast<size_t>(best)] = 100;
      y[static_cast<size_t>(width - 1)] = 100;  // a tie
      EXPECT_EQ(ArgMax(y.data(), width).index, best);
      EXPECT_EQ(ArgMax(y.data(), width).value, 100);
    }
  }
}

TEST(ElementwiseTest, AgreeWithTheirScalarTwins) {
  for (const int64_t n : kWidths) {
    const auto x = RandomFloats(n, 6), y = RandomFloats(n, 7);
    auto relu = x, sum = y, axpy = y;
    Relu(relu.data(), n);
    Add(x.data(), n, sum.data());
    Axpy(0.5F, x.data(), n, axpy.data());
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(relu[i], std::max(x[i], 0.0F));
      ASSERT_EQ(sum[i], y[i] + x[i]);
      ASSERT_NEAR(axpy[i], y[i] + 0.5F * x[i], 1e-6);
    }
  }
}

TEST(FsmnMemoryTest, AgreesWithTheScalarTwinOverRaggedSegments) {
  uint32_t seed = 0;
  for (const FsmnShape shape : {FsmnShape{192, 11, 5}, {128, 20, 19}, {33, 11, 10}, {5, 1, 0}, {64, 21, 10}}) {
    for (const bool accumulate : {false, true}) {
      ++seed;
      const auto offsets = RandomOffsets(6, 30, seed);
      const int64_t rows = offsets.back(), stride = shape.width + 3;
      const auto x = RandomFloats(rows * stride, seed), w = RandomFloats(shape.taps * shape.width, seed + 100);
      const auto before = RandomFloats(rows * stride, seed + 200);
      auto y = before;
      FsmnMemory(x.data(), stride, offsets, shape, w.data(), accumulate, y.data(), stride);
      for (size_t segment = 0; segment + 1 < offsets.size(); ++segment) {
        for (int64_t t = offsets[segment]; t < offsets[segment + 1]; ++t) {
          for (int64_t c = 0; c < shape.width; ++c) {
            double sum = x[static_cast<size_t>(t * stride + c)];
            for (int64_t j = 0; j < shape.taps; ++j) {
              const int64_t from = t + j - shape.left;
              if (from < offsets[segment] || from >= offsets[segment + 1]) continue;
              sum += static_cast<double>(w[static_cast<size_t>(j * shape.width + c)]) *
                     x[static_cast<size_t>(from * stride + c)];
            }
            const auto at = static_cast<size_t>(t * stride + c);
            ASSERT_NEAR(y[at], accumulate ? before[at] + sum : sum, 2e-5);
          }
          for (int64_t c = shape.width; c < stride; ++c) {  // what lies between the rows stays
            const auto at = static_cast<size_t>(t * stride + c);
            ASSERT_EQ(y[at], before[at]);
          }
        }
      }
    }
  }
}

void RoundToBf16(std::vector<float>& x) {
  std::vector<uint16_t> half(x.size());
  ToBf16(x.data(), static_cast<int64_t>(x.size()), half.data());
  FromBf16(half.data(), static_cast<int64_t>(x.size()), x.data());
}

// Columns [first, first + dk) of the rows of a segment as 8-bit attention takes them: a scale for each row of queries
// and of keys, and for each column of values.
enum class Part { kQueries, kKeys, kValues };
void RoundToInt8(Part part, int64_t rows, int64_t dk, int64_t stride, float* x) {
  std::vector<float> column(static_cast<size_t>(rows));
  std::vector<int8_t> q(static_cast<size_t>(std::max(rows, dk)));
  std::vector<uint8_t> levels(static_cast<size_t>(dk));
  for (int64_t r = 0; r < rows && part != Part::kValues; ++r) {
    float* row = x + r * stride;
    if (part == Part::kKeys) {
      float scale;
      QuantiseWeights(row, 1, dk, q.data(), &scale);
      DequantiseWeights(q.data(), &scale, 1, dk, row);
    } else {
      RowScale scale;
      QuantiseRows(row, 1, dk, 255, levels.data(), &scale);
      for (int64_t c = 0; c < dk; ++c) {
        row[c] = scale.scale * static_cast<float>(levels[static_cast<size_t>(c)] - scale.zero);
      }
    }
  }
  for (int64_t c = 0; c < dk && part == Part::kValues; ++c) {
    for (int64_t r = 0; r < rows; ++r) column[static_cast<size_t>(r)] = x[r * stride + c];
    float scale;
    QuantiseWeights(column.data(), 1, rows, q.data(), &scale);
    for (int64_t r = 0; r < rows; ++r) x[r * stride + c] = scale * static_cast<float>(q[static_cast<size_t>(r)]);
  }
}

struct AttentionCase {
  AttentionShape shape;
  int64_t max_queries, max_keys;
};

class AttentionTest : public ::testing::TestWithParam<AttentionCase> {};

TEST_P(AttentionTest, AgreesWithTheScalarTwinOverRaggedSegments) {
  const auto [shape, max_queries, max_keys] = GetParam();
  const int64_t width = shape.heads * shape.dk;
  const auto query_offsets = RandomOffsets(5, max_queries, 1), key_offsets = RandomOffsets(5, max_keys, 2);
  const int64_t q_stride = width + 5, kv_stride = 2 * width + 1;
  auto q = RandomFloats(query_offsets.back() * q_stride + 1, 3, 2);
  auto kv = RandomFloats(key_offsets.back() * kv_stride + 1, 4, 2);
  const bool bf16 = shape.bf16 && DetectProductIsa().fast_bf16;
  if (bf16) {  // what the kernel does to them first
    RoundToBf16(q);
    RoundToBf16(kv);
  }
  const bool int8 = !bf16 && shape.int8 && HasInt8Attention();
  for (size_t s = 0; int8 && s + 1 < query_offsets.size(); ++s) {
    const int64_t queries = query_offsets[s + 1] - query_offsets[s], keys = key_offsets[s + 1] - key_offsets[s];
    for (int64_t h = 0; h < shape.heads; ++h) {
      float* const of_keys = kv.data() + key_offsets[s] * kv_stride + h * shape.dk;
      RoundToInt8(Part::kQueries, queries, shape.dk, q_stride, q.data() + query_offsets[s] * q_stride + h * shape.dk);
      RoundToInt8(Part::kKeys, keys, shape.dk, kv_stride, of_keys);
      RoundToInt8(Part::kValues, keys, shape.dk, kv_stride, of_keys + width);
    }
  }
  const double tolerance = bf16 ? 0.02 : int8 ? 2e-3 : 2e-5;  // the weights are rounded too
  const float scale = 1.0F / std::sqrt(static_cast<float>(shape.dk));
  std::vector<float> out(static_cast<size_t>(query_offsets.back() * width), -7.0F);
  Workspace workspace;
  Attention(q.data(), q_stride, query_offsets, kv.data(), kv.data() + width, kv_stride, key_offsets, shape, scale,
            out.data(), width, workspace);
  for (size_t s = 0; s + 1 < query_offsets.size(); ++s) {
    for (int64_t t = query_offsets[s]; t < query_offsets[s + 1]; ++t) {
      for (int64_t h = 0; h < shape.heads; ++h) {
        std::vector<double> weights;
        double max = -std::numeric_limits<double>::infinity(), sum = 0;
        for (int64_t key = key_offsets[s]; key < key_offsets[s + 1]; ++key) {
          double dot = 0;
          for (int64_t c = 0; c < shape.dk; ++c) {
            dot += static_cast<double>(q[static_cast<size_t>(t * q_stride + h * shape.dk + c)]) *
                   kv[static_cast<size_t>(key * kv_stride + h * shape.dk + c)];
          }
          weights.push_back(dot * scale);
          max = std::max(max, weights.back());
        }
        for (double& weight : weights) sum += weight = std::exp(weight - max);
        for (int64_t c = 0; c < shape.dk; ++c) {
          double expected = 0;
          for (size_t i = 0; i < weights.size(); ++i) {
            const int64_t row = key_offsets[s] + static_cast<int64_t>(i);
            expected += weights[i] / sum * kv[static_cast<size_t>(row * kv_stride + width + h * shape.dk + c)];
          }
          ASSERT_NEAR(out[static_cast<size_t>(t * width + h * shape.dk + c)], expected, tolerance) << s << " " << t;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, AttentionTest,
    ::testing::Values(AttentionCase{{4, 128}, 40, 40}, AttentionCase{{4, 48}, 9, 170}, AttentionCase{{8, 32}, 33, 5},
                      AttentionCase{{12, 43}, 13, 13}, AttentionCase{{1, 4}, 3, 1},
                      AttentionCase{{4, 128, true}, 40, 40}, AttentionCase{{4, 48, true}, 9, 170},
                      AttentionCase{{12, 43, true}, 50, 33}, AttentionCase{{1, 4, true}, 3, 1},
                      AttentionCase{{4, 64, false, true}, 40, 90}, AttentionCase{{4, 128, false, true}, 9, 170},
                      AttentionCase{{12, 43, false, true}, 50, 33}, AttentionCase{{1, 4, false, true}, 3, 1}));

TEST(AttentionNeighboursTest, ASegmentHasTheSameBitsAloneAndAmongOthers) {
  for (const AttentionShape shape : {AttentionShape{4, 48}, {4, 48, true}, {4, 48, false, true}}) {
    constexpr int64_t kWidth = 192;
    const auto offsets = RandomOffsets(9, 60, 7);
    const auto qkv = RandomFloats(offsets.back() * 3 * kWidth, 8);
    std::vector<float> together(static_cast<size_t>(offsets.back() * kWidth));
    Workspace workspace;
    const auto run = [&](const float* base, std::span<const int64_t> at, float* out) {
      Attention(base, 3 * kWidth, at, base + kWidth, base + 2 * kWidth, 3 * kWidth, at, shape, 0.1F, out, kWidth,
                workspace);
    };
    run(qkv.data(), offsets, together.data());
    for (size_t s = 0; s + 1 < offsets.size(); ++s) {
      const int64_t rows = offsets[s + 1] - offsets[s];
      const std::vector<int64_t> alone = {0, rows};
      std::vector<float> out(static_cast<size_t>(rows * kWidth));
      run(qkv.data() + offsets[s] * 3 * kWidth, alone, out.data());
      EXPECT_TRUE(std::equal(out.begin(), out.end(), together.begin() + offsets[s] * kWidth)) << s;
    }
  }
}

TEST(AttentionInPlaceTest, HeadsInThePlaceOfTheirQueriesHaveTheSameBits) {
  for (const AttentionShape shape : {AttentionShape{4, 48}, {4, 48, true}, {4, 48, false, true}}) {
    constexpr int64_t kWidth = 192, kStride = 3 * kWidth + 16;
    const auto offsets = RandomOffsets(9, 60, 17);
    auto qkv = RandomFloats(offsets.back() * kStride, 18);
    std::vector<float> apart(static_cast<size_t>(offsets.back() * kWidth));
    Workspace workspace;
    const auto run = [&](float* out, int64_t out_stride) {
      Attention(qkv.data(), kStride, offsets, qkv.data() + kWidth, qkv.data() + 2 * kWidth, kStride, offsets, shape,
                0.1F, out, out_stride, workspace);
    };
    run(apart.data(), kWidth);
    run(qkv.data(), kStride);
    for (int64_t row = 0; row < offsets.back(); ++row) {
      EXPECT_TRUE(
          std::equal(apart.begin() + row * kWidth, apart.begin() + (row + 1) * kWidth, qkv.begin() + row * kStride))
          << row;
    }
  }
}

TEST(AttentionInPlaceTest, QueriesAndKeysInBf16GiveTheBitsOfThoseThatAreRoundedToIt) {
  if (!DetectProductIsa().fast_bf16) {  // attention runs in f32
    EXPECT_FALSE(DetectProductIsa().amx);
    return;
  }
  for (const int64_t dk : {48, 43, 128}) {
    const AttentionShape shape{4, dk, true};
    const int64_t width = 4 * dk, stride = 3 * width;
    const auto offsets = RandomOffsets(9, 60, 27);
    const auto qkv = RandomFloats(offsets.back() * stride, 28);
    std::vector<float> expected(static_cast<size_t>(offsets.back() * width)), v(expected.size());
    std::vector<uint16_t> qk(2 * expected.size());
    for (int64_t row = 0; row < offsets.back(); ++row) {
      ToBf16(qkv.data() + row * stride, 2 * width, qk.data() + row * 2 * width);
      std::copy_n(qkv.data() + row * stride + 2 * width, width, v.data() + row * width);
    }
    Workspace workspace;
    Attention(qkv.data(), stride, offsets, qkv.data() + width, qkv.data() + 2 * width, stride, offsets, shape, 0.1F,
              expected.data(), width, workspace);
    SelfAttentionBf16(qk.data(), qk.data() + width, 2 * width, v.data(), width, offsets, shape, 0.1F, workspace);
    EXPECT_TRUE(v == expected) << dk;
  }
}

TEST(AttentionNeighboursTest, QueriesWithoutKeysGetZeros) {
  const std::vector<int64_t> queries = {0, 2}, keys = {0, 0};
  const auto q = RandomFloats(32, 9);
  std::vector<float> out(32, 5.0F);
  Workspace workspace;
  Attention(q.data(), 16, queries, q.data(), q.data(), 16, keys, {1, 16}, 1.0F, out.data(), 16, workspace);
  EXPECT_EQ(out, std::vector<float>(32, 0.0F));
}

}  // namespace
}  // namespace tutti
