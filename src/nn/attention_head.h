#pragma once

#include <cstdint>

namespace tutti {

// One head of one segment; what attention.cc's kernel takes for every instruction set.
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

}  // namespace tutti
