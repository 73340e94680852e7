#pragma once

#include <cstdint>

#include "nn/cross_attention.h"
#include "nn/workspace.h"

// Cross-attention to int8 keys and values on CPUs that sum four products of 8-bit numbers at once (HasInt8Attention).
// The memory of a head is read from its beginning to its end, in words of four numbers:
//   keys [rows / 16][dk / 4][16 rows], each 128 above its value; values [rows / 4][dk], of four rows each.
namespace tutti {

// CrossMemory::Put for one head; `keys` and `values` are the head's.
void PutQuads(const CrossMemory& memory, const CrossMemory::Head& head, int64_t first, int64_t count, const float* keys,
              const float* values, int64_t stride);

// CrossAttentionHead. Queries are rounded to 8 bits, weights to 16; sums are exact.
void AttendQuads(const float* q, int64_t q_stride, int64_t rows, const CrossMemory& memory,
                 const CrossMemory::Head& head, float scale, float* out, int64_t out_stride, float* weights,
                 Workspace& workspace);

}  // namespace tutti
