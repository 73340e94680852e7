#include <algorithm>
#include <limits>

#include "nn/attention_head.h"
#include "nn/matrix_product.h"
#include "nn/ops.h"
#include "nn/team.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nn/attention.cc"
#include <hwy/foreach_target.h>
// After foreach_target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;

// Queries that run together: with two vectors of columns they need 12 accumulators, which fit AVX2's 16 registers and
// keep AVX-512's units busy.
constexpr int64_t kTile = 6;

// out[r, 0 … columns) = Σ_i a[r, i] · b[i, …] for kRows rows; b [depth, b_stride], columns a multiple of the vector
// length. Both products of attention are this one: queries × transposed keys, weights × values.
template <int64_t kRows>
void TileProduct(const float* a, int64_t a_stride, int64_t depth, const float* b, int64_t b_stride, int64_t columns,
                 float* out, int64_t out_stride) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + 2 * lanes <= columns; c += 2 * lanes) {
    decltype(hn::Zero(d)) sum0[kRows], sum1[kRows];
    for (int64_t r = 0; r < kRows; ++r) sum0[r] = sum1[r] = hn::Zero(d);
    const float* in = b + c;
    for (int64_t i = 0; i < depth; ++i, in += b_stride) {
      const auto in0 = hn::LoadU(d, in), in1 = hn::LoadU(d, in + lanes);
      for (int64_t r = 0; r < kRows; ++r) {
        const auto factor = hn::Set(d, a[r * a_stride + i]);
        sum0[r] = hn::MulAdd(factor, in0, sum0[r]);
        sum1[r] = hn::MulAdd(factor, in1, sum1[r]);
      }
    }
    for (int64_t r = 0; r < kRows; ++r) {
      hn::StoreU(sum0[r], d, out + r * out_stride + c);
      hn::StoreU(sum1[r], d, out + r * out_stride + c + lanes);
    }
  }
  for (; c < columns; c += lanes) {
    decltype(hn::Zero(d)) sum[kRows];
    for (int64_t r = 0; r < kRows; ++r) sum[r] = hn::Zero(d);
    for (int64_t i = 0; i < depth; ++i) {
      const auto in = hn::LoadU(d, b + i * b_stride + c);
      for (int64_t r = 0; r < kRows; ++r) sum[r] = hn::MulAdd(hn::Set(d, a[r * a_stride + i]), in, sum[r]);
    }
    for (int64_t r = 0; r < kRows; ++r) hn::StoreU(sum[r], d, out + r * out_stride + c);
  }
}

// A row's sum is a chain of its own, so its bits do not depend on how many rows run together.
void TileProductRows(int64_t rows, const float* a, int64_t a_stride, int64_t depth, const float* b, int64_t b_stride,
                     int64_t columns, float* out, int64_t out_stride) {
  static_assert(kTile == 6);
  switch (rows) {
    case 6:
      return TileProduct<6>(a, a_stride, depth, b, b_stride, columns, out, out_stride);
    case 5:
      return TileProduct<5>(a, a_stride, depth, b, b_stride, columns, out, out_stride);
    case 4:
      return TileProduct<4>(a, a_stride, depth, b, b_stride, columns, out, out_stride);
    case 3:
      return TileProduct<3>(a, a_stride, depth, b, b_stride, columns, out, out_stride);
    case 2:
      return TileProduct<2>(a, a_stride, depth, b, b_stride, columns, out, out_stride);
    default:
      return TileProduct<1>(a, a_stride, depth, b, b_stride, columns, out, out_stride);
  }
}

// scores[0 … keys) become exp(scale · (s - max)); the padding behind them becomes 0. Returns 1 / their sum.
float Weights(float* scores, int64_t keys, int64_t padded_keys, float scale) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = keys; i < padded_keys; ++i) scores[i] = std::numeric_limits<float>::lowest();
  auto max_v = hn::LoadU(d, scores);
  for (int64_t i = lanes; i < padded_keys; i += lanes) max_v = hn::Max(max_v, hn::LoadU(d, scores + i));
  const auto max = hn::MaxOfLanes(d, max_v);
  const auto scale_v = hn::Set(d, scale);
  auto sum = hn::Zero(d);
  for (int64_t i = 0; i < padded_keys; i += lanes) {
    // The padding's difference overflows to -inf on its way through the scale; Exp takes that to 0.
    const auto weight = hn::Exp(d, hn::Mul(hn::Sub(hn::LoadU(d, scores + i), max), scale_v));
    hn::StoreU(weight, d, scores + i);
    sum = hn::Add(sum, weight);
  }
  return 1.0F / hn::GetLane(hn::SumOfLanes(d, sum));
}

int64_t RoundUp(int64_t n) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(D()));
  return (n + lanes - 1) / lanes * lanes;
}

void AttentionHead(const AttentionHeadView& head, float scale, Workspace& workspace) {
  Workspace::Scope scope(workspace);
  const int64_t padded_keys = RoundUp(head.keys), padded_dk = RoundUp(head.dk);
  float* keys = scope.Floats(head.dk * padded_keys);  // transposed: [dk, padded_keys]
  float* values = scope.Floats(head.keys * padded_dk);
  float* scores = scope.Floats(kTile * padded_keys);
  float* result = scope.Floats(kTile * padded_dk);
  for (int64_t t = 0; t < head.keys; ++t) {
    const float* k = head.k + t * head.k_stride;
    const float* v = head.v + t * head.v_stride;
    for (int64_t c = 0; c < head.dk; ++c) keys[c * padded_keys + t] = k[c];
    std::fill(std::copy(v, v + head.dk, values + t * padded_dk), values + (t + 1) * padded_dk, 0.0F);
  }
  for (int64_t c = 0; c < head.dk; ++c) {
    std::fill(keys + c * padded_keys + head.keys, keys + (c + 1) * padded_keys, 0.0F);
  }
  for (int64_t first = 0; first < head.queries; first += kTile) {
    const int64_t rows = std::min(kTile, head.queries - first);
    TileProductRows(rows, head.q + first * head.q_stride, head.q_stride, head.dk, keys, padded_keys, padded_keys,
                    scores, padded_keys);
    float inverse[kTile];
    for (int64_t r = 0; r < rows; ++r) inverse[r] = Weights(scores + r * padded_keys, head.keys, padded_keys, scale);
    TileProductRows(rows, scores, padded_keys, head.keys, values, padded_dk, padded_dk, result, padded_dk);
    for (int64_t r = 0; r < rows; ++r) {
      float* out = head.out + (first + r) * head.out_stride;
      for (int64_t c = 0; c < head.dk; ++c) out[c] = result[r * padded_dk + c] * inverse[r];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {
HWY_EXPORT(AttentionHead);

namespace {

void AttentionHeadF32(const AttentionHeadView& head, float scale, Workspace& workspace) {
  HWY_DYNAMIC_DISPATCH(AttentionHead)(head, scale, workspace);
}

}  // namespace

void Attention(const float* q, int64_t q_stride, std::span<const int64_t> query_offsets, const float* k, const float* v,
               int64_t kv_stride, std::span<const int64_t> key_offsets, AttentionShape shape, float scale, float* out,
               int64_t out_stride, Workspace& workspace) {
  const bool bf16 = shape.bf16 && DetectProductIsa().fast_bf16;
  void (*head)(const AttentionHeadView&, float, Workspace&) = &AttentionHeadF32;
  if (bf16) {
    head = &AttentionHeadBf16;
  } else if (shape.int8 && HasInt8Attention()) {
    head = &AttentionHeadInt8;
  }
  const auto segments = static_cast<int64_t>(query_offsets.size()) - 1;
  ForEach(segments * shape.heads, workspace, [&](int64_t item, Workspace& scratch) {
    const auto i = static_cast<size_t>(item / shape.heads);
    const int64_t column = item % shape.heads * shape.dk;
    const int64_t query = query_offsets[i], key = key_offsets[i];
    const AttentionHeadView view = {.q = q + query * q_stride + column,
                                    .q_stride = q_stride,
                                    .queries = query_offsets[i + 1] - query,
                                    .k = k + key * kv_stride + column,
                                    .k_stride = kv_stride,
                                    .v = v + key * kv_stride + column,
                                    .v_stride = kv_stride,
                                    .keys = key_offsets[i + 1] - key,
                                    .dk = shape.dk,
                                    .out = out + query * out_stride + column,
                                    .out_stride = out_stride};
    if (view.keys > 0) return head(view, scale, scratch);
    for (int64_t row = 0; row < view.queries; ++row) std::fill_n(view.out + row * out_stride, shape.dk, 0.0F);
  });
}

void SelfAttentionBf16(const uint16_t* q, const uint16_t* k, int64_t qk_stride, float* v, int64_t v_stride,
                       std::span<const int64_t> offsets, AttentionShape shape, float scale, Workspace& workspace) {
  const auto segments = static_cast<int64_t>(offsets.size()) - 1;
  ForEach(segments * shape.heads, workspace, [&](int64_t item, Workspace& scratch) {
    const auto i = static_cast<size_t>(item / shape.heads);
    const int64_t column = item % shape.heads * shape.dk, first = offsets[i], rows = offsets[i + 1] - first;
    if (rows == 0) return;
    float* const values = v + first * v_stride + column;
    const NarrowHeadView view = {.q = q + first * qk_stride + column,
                                 .q_stride = qk_stride,
                                 .queries = rows,
                                 .k = k + first * qk_stride + column,
                                 .k_stride = qk_stride,
                                 .v = values,
                                 .v_stride = v_stride,
                                 .keys = rows,
                                 .dk = shape.dk,
                                 .out = values,
                                 .out_stride = v_stride};
    AttentionHeadBf16(view, scale, scratch);
  });
}
}  // namespace tutti
#endif
