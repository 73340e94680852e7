#pragma once

#include <cstdint>

#include "nn/workspace.h"

namespace tutti {

// One head of one segment; what the kernels of attention take for every instruction set. They have read a tile of
// queries before they write its rows of `out`, which may be `q`.
struct AttentionHeadView {
  const float* q;  // [queries, dk], rows q_stride apart
  int64_t q_stride;
  int64_t queries;
  const float* k;  // [keys, dk], rows kv_stride apart
  const float* v;
  int64_t kv_stride;
  int64_t keys;
  int64_t dk;
  float* out;  // [queries, dk], rows out_stride apart
  int64_t out_stride;
};

// The head with both products in bf16, sums and softmax in f32. Only where DetectProductIsa().bf16 says so.
void AttentionHeadBf16(const AttentionHeadView& head, float scale, Workspace& workspace);

}  // namespace tutti
