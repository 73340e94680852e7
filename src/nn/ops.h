#pragma once

#include <cstdint>
#include <span>

#include "nn/ragged_batch.h"
#include "nn/workspace.h"

// Vector operators over rows and ragged batches, f32. Highway picks the instruction set at run time. Every operator is
// a pure function of its segment (or row): neighbours in the batch cannot change a bit of a result. Reentrant.
namespace tutti {

// y = (x - mean) / sqrt(variance + eps) * gamma + beta over each row of `width`. x == y is allowed.
void LayerNorm(const float* x, int64_t rows, int64_t width, const float* gamma, const float* beta, float eps, float* y);

// Each row of [rows, width] becomes its log-softmax, in place.
void LogSoftmax(float* x, int64_t rows, int64_t width);
// Each row of [rows, width] becomes its softmax, in place.
void Softmax(float* x, int64_t rows, int64_t width);

// Index and value of the largest element of a row; the lowest index on ties.
struct ArgMaxResult {
  int64_t index = 0;
  float value = 0;
};
ArgMaxResult ArgMax(const float* x, int64_t width);

// x = max(x, 0), y += x, y += a·x over n floats.
void Relu(float* x, int64_t n);
void Add(const float* x, int64_t n, float* y);
void Axpy(float a, const float* x, int64_t n, float* y);

// FSMN memory (spec §5.2): depthwise convolution along time plus the input itself, zero outside the segment:
//   y[t, c] (+)= x[t, c] + Σ_j w[j, c] · x[t + j - left, c],  j = 0 … taps-1.
// `x` has rows `x_stride` floats apart (a column slice of a wider matrix); weight is tap-major [taps, width].
// accumulate: y += instead of y =. x and y may not overlap.
struct FsmnShape {
  int64_t width = 0;
  int64_t taps = 0;
  int64_t left = 0;  // taps that look back
};
void FsmnMemory(const float* x, int64_t x_stride, std::span<const int64_t> offsets, FsmnShape shape,
                const float* weight, bool accumulate, float* y, int64_t y_stride);

// Multi-head attention, one tile of queries at a time: no [T, T] matrix is held.
//   out[q, h·dk …] = softmax(scale · q·kᵀ) · v over the keys of the same segment.
// Queries of segment i are rows query_offsets[i] …, its keys and values rows key_offsets[i] …; a segment without keys
// gives zeros. q, k, v, out have rows q_stride, kv_stride, out_stride floats apart; out may be q itself, at the same
// stride. dk is a multiple of 4 (any width is correct; multiples of 16 are fast).
struct AttentionShape {
  int64_t heads = 0;
  int64_t dk = 0;
  bool bf16 = false;  // both products in bf16 where the CPU is fast at them (ProductIsa::fast_bf16); else in f32
  bool int8 = false;  // where it is not, in 8 bits if it has AVX-512 VNNI
};
void Attention(const float* q, int64_t q_stride, std::span<const int64_t> query_offsets, const float* k, const float* v,
               int64_t kv_stride, std::span<const int64_t> key_offsets, AttentionShape shape, float scale, float* out,
               int64_t out_stride, Workspace& workspace);

// Attention of each segment's rows to themselves, both products in bf16, of queries and keys that are bf16 already: the
// bits of Attention, in less memory. The result takes the place of the values. Only where DetectProductIsa().bf16.
void SelfAttentionBf16(const uint16_t* q, const uint16_t* k, int64_t qk_stride, float* v, int64_t v_stride,
                       std::span<const int64_t> offsets, AttentionShape shape, float scale, Workspace& workspace);

// The instruction set that Highway chose for these operators ("AVX3_ZEN4").
const char* VectorIsa();

}  // namespace tutti
