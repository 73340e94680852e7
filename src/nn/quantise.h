#pragma once

#include <cstdint>
#include <span>

// Between f32 and the number types of matrix products. Rows are independent of each other, so a result cannot depend on
// neighbours. Reentrant; Highway picks the instruction set at run time.
namespace tutti {

// w[o, i] ≈ scales[o] · q[o, i], |q| ≤ 127; a row of zeros has scale 0.
void QuantiseWeights(const float* w, int64_t out, int64_t in, int8_t* q, float* scales);
void DequantiseWeights(const int8_t* q, const float* scales, int64_t out, int64_t in, float* w);

// x[i] ≈ scale · (q[i] - zero).
struct RowScale {
  float scale = 0;
  int32_t zero = 0;  // 0 … levels
};

// Each row of x [rows, width] spread over 0 … levels; zero itself is always exact. levels is 255, or 127 where the CPU
// adds pairs of u8·s8 products in 16 bits, which two of 255·127 would overflow.
void QuantiseRows(const float* x, int64_t rows, int64_t width, int32_t levels, uint8_t* q, RowScale* scales);

// The end of an int8 layer for each row r and column c of sums [rows, width]:
//   v = (sums[r, c] - zero[r] · column_sums[c]) · column_scales[c] · scale[r] + bias[c]
//   y[r, c] = v, max(v, 0) or y[r, c] + v.
// bias may be null.
struct ColumnScales {
  std::span<const float> scales;
  std::span<const float> sums;  // of each column's int8 weights; whole numbers
  const float* bias = nullptr;
};
enum class Combine { kStore, kRelu, kAccumulate };
void DequantiseRows(const int32_t* sums, int64_t rows, const RowScale* row_scales, const ColumnScales& columns,
                    Combine combine, float* y);

// To bf16, to nearest and ties to even, and back.
void ToBf16(const float* x, int64_t n, uint16_t* y);
void FromBf16(const uint16_t* x, int64_t n, float* y);

}  // namespace tutti
