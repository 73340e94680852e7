#pragma once

#include <cstdint>

#include "nn/workspace.h"

namespace tutti {

// One head of one segment; what the kernels of attention take for every instruction set. They have read all values
// before they write to `out`, and a tile of queries before they write its rows: `out` may be `v` or `q`.
template <typename QueryKey>
struct AttentionHeadOf {
  const QueryKey* q;  // [queries, dk], rows q_stride apart
  int64_t q_stride;
  int64_t queries;
  const QueryKey* k;  // [keys, dk], rows k_stride apart
  int64_t k_stride;
  const float* v;  // likewise
  int64_t v_stride;
  int64_t keys;
  int64_t dk;
  float* out;  // [queries, dk], rows out_stride apart
  int64_t out_stride;
};
using AttentionHeadView = AttentionHeadOf<float>;
using NarrowHeadView = AttentionHeadOf<uint16_t>;  // queries and keys in bf16

// The head with both products in bf16, sums and softmax in f32. Only where DetectProductIsa().bf16 says so.
void AttentionHeadBf16(const AttentionHeadView& head, float scale, Workspace& workspace);
void AttentionHeadBf16(const NarrowHeadView& head, float scale, Workspace& workspace);

// The head with both products of 8-bit numbers, summed exactly, and softmax in f32: queries and keys with a scale each,
// values with one for each column, weights in 16 bits. Only where HasInt8Attention().
void AttentionHeadInt8(const AttentionHeadView& head, float scale, Workspace& workspace);
bool HasInt8Attention();

}  // namespace tutti
