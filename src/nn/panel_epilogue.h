#pragma once

// The end of a sum in the kernels of PanelProduct, for x86-64 CPUs with AVX-512. Include only where __x86_64__ is
// defined.

#include <cstdint>

#include "nn/avx512.h"
#include "nn/panel_kernel.h"

namespace tutti {

inline constexpr int64_t kPanelLanes = kAvx512Lanes;

// What belongs to one vector of columns.
struct PanelColumnsEnd {
  __m512 bias, scale, sum;
  __mmask16 inside;
};

TUTTI_AVX512 inline PanelColumnsEnd LoadPanelColumns(const PanelOperands& o, int64_t column) {
  PanelColumnsEnd columns = {.bias = _mm512_loadu_ps(o.bias + column),
                             .scale = _mm512_setzero_ps(),
                             .sum = _mm512_setzero_ps(),
                             .inside = LanesWithin(o.out - column)};
  if (o.column_scales != nullptr) {
    columns.scale = _mm512_loadu_ps(o.column_scales + column);
    columns.sum = _mm512_loadu_ps(o.column_sums + column);
  }
  return columns;
}

TUTTI_AVX512 inline __m512 FinishSum(__m512 sum, const PanelColumnsEnd& columns, const RowScale*) {
  return _mm512_add_ps(sum, columns.bias);
}

// As DequantiseRows, to the last bit.
TUTTI_AVX512 inline __m512 FinishSum(__m512i sum, const PanelColumnsEnd& columns, const RowScale* row) {
  const __m512 shifted =
      _mm512_fnmadd_ps(_mm512_set1_ps(static_cast<float>(row->zero)), columns.sum, _mm512_cvtepi32_ps(sum));
  return _mm512_fmadd_ps(_mm512_mul_ps(shifted, columns.scale), _mm512_set1_ps(row->scale), columns.bias);
}

// Combines a row's finished sums with y.
TUTTI_AVX512 inline void StoreCombined(__m512 v, Combine combine, __mmask16 inside, float* y) {
  if (combine == Combine::kRelu) v = _mm512_max_ps(v, _mm512_setzero_ps());
  if (combine == Combine::kAccumulate) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(inside, y));
  _mm512_mask_storeu_ps(y, inside, v);
}

// Part of the next panel, fetched while this one is in use.
struct PanelAhead {
  const std::byte* from = nullptr;
  int64_t lines = 0;
};

inline constexpr int64_t kPanelLine = 64;

inline PanelAhead PartOfPanel(const std::byte* panel, int64_t bytes, int64_t part, int64_t parts) {
  const int64_t lines = bytes / kPanelLine, first = lines * part / parts;
  return {panel + first * kPanelLine, lines * (part + 1) / parts - first};
}

}  // namespace tutti
