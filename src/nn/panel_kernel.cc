#include "nn/panel_kernel.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "nn/matrix_product.h"

#if defined(__x86_64__)

#include "nn/intrinsics.h"

#define TUTTI_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

namespace tutti {
namespace {

constexpr int64_t kLanes = 16;
// Rows that run together: with the panel's two vectors of columns they need 24 of the 32 registers.
constexpr int64_t kTile = 12;

// The types differ in one instruction and in what becomes of a sum. The two that few CPUs have are written as assembly,
// so that one function can hold any of them without asking the compiler for CPUs that have all.
struct F32 {
  using Sum = __m512;
  TUTTI_AVX512 static Sum Zero() { return _mm512_setzero_ps(); }
  TUTTI_AVX512 static Sum AddProducts(Sum sum, __m512i x, __m512i w) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(x), _mm512_castsi512_ps(w), sum);
  }
};

struct Bf16 {
  using Sum = __m512;
  TUTTI_AVX512 static Sum Zero() { return _mm512_setzero_ps(); }
  TUTTI_AVX512 static Sum AddProducts(Sum sum, __m512i x, __m512i w) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
  }
};

struct Int8 {
  using Sum = __m512i;
  TUTTI_AVX512 static Sum Zero() { return _mm512_setzero_si512(); }
  TUTTI_AVX512 static Sum AddProducts(Sum sum, __m512i x, __m512i w) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
  }
};

// What belongs to one vector of columns.
struct Columns {
  __m512 bias, scale, sum;
  __mmask16 inside;
};

TUTTI_AVX512 inline Columns LoadColumns(const PanelOperands& o, int64_t column) {
  const int64_t left = std::clamp<int64_t>(o.out - column, 0, kLanes);
  Columns columns = {.bias = _mm512_loadu_ps(o.bias + column),
                     .scale = _mm512_setzero_ps(),
                     .sum = _mm512_setzero_ps(),
                     .inside = static_cast<__mmask16>((1U << left) - 1)};
  if (o.column_scales != nullptr) {
    columns.scale = _mm512_loadu_ps(o.column_scales + column);
    columns.sum = _mm512_loadu_ps(o.column_sums + column);
  }
  return columns;
}

TUTTI_AVX512 inline __m512 Finish(__m512 sum, const Columns& columns, const RowScale*) {
  return _mm512_add_ps(sum, columns.bias);
}

TUTTI_AVX512 inline __m512 Finish(__m512i sum, const Columns& columns, const RowScale* row) {
  const __m512 shifted =
      _mm512_fnmadd_ps(_mm512_set1_ps(static_cast<float>(row->zero)), columns.sum, _mm512_cvtepi32_ps(sum));
  return _mm512_fmadd_ps(_mm512_mul_ps(shifted, columns.scale), _mm512_set1_ps(row->scale), columns.bias);
}

// Part of the next panel, fetched while this one is in use.
struct Ahead {
  const std::byte* from = nullptr;
  int64_t lines = 0;
};

constexpr int64_t kLineBytes = 64;

Ahead PartOf(const std::byte* panel, int64_t bytes, int64_t part, int64_t parts) {
  const int64_t lines = bytes / kLineBytes, first = lines * part / parts;
  return {panel + first * kLineBytes, lines * (part + 1) / parts - first};
}

// kRows rows from `row` on by one panel. Each row's sum is a chain of its own, so its bits do not depend on kRows.
template <typename Type, int64_t kRows>
TUTTI_AVX512 void Tile(const PanelOperands& o, int64_t row, int64_t panel, Ahead ahead) {
  constexpr int64_t kColumns = 2, kStrides = 3, kBases = (kRows + kStrides - 1) / kStrides;
  typename Type::Sum sums[kRows][kColumns];
  for (auto& of_row : sums) {
    for (auto& sum : of_row) sum = Type::Zero();
  }
  // A base and two multiples of the stride address three rows without a register for each.
  const std::byte* x[kBases];
  for (int64_t i = 0; i < kBases; ++i) x[i] = o.x + (row + kStrides * i) * o.x_stride;
  const std::byte* w = o.panels + panel * o.words * kPanelColumns * kWordBytes;
  for (int64_t i = 0; i < o.words; ++i, w += kPanelColumns * kWordBytes) {
    const __m512i w0 = _mm512_load_si512(w), w1 = _mm512_load_si512(w + 64);
    for (int64_t r = 0; r < kRows; ++r) {
      int32_t word;
      std::memcpy(&word, x[r / kStrides] + (r % kStrides) * o.x_stride, sizeof(word));
      const __m512i factor = _mm512_set1_epi32(word);
      sums[r][0] = Type::AddProducts(sums[r][0], factor, w0);
      sums[r][1] = Type::AddProducts(sums[r][1], factor, w1);
    }
    for (const std::byte*& base : x) base += kWordBytes;
    if (i < ahead.lines) _mm_prefetch(ahead.from + i * kLineBytes, _MM_HINT_T1);
  }
  for (int64_t j = 0; j < kColumns; ++j) {
    const int64_t column = panel * kPanelColumns + j * kLanes;
    const Columns columns = LoadColumns(o, column);
    float* y = o.y + row * o.y_stride + column;
    for (int64_t r = 0; r < kRows; ++r, y += o.y_stride) {
      __m512 v = Finish(sums[r][j], columns, o.row_scales + row + r);
      if (o.combine == Combine::kRelu) v = _mm512_max_ps(v, _mm512_setzero_ps());
      if (o.combine == Combine::kAccumulate) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(columns.inside, y));
      _mm512_mask_storeu_ps(y, columns.inside, v);
    }
  }
}

using TileFunction = void (*)(const PanelOperands&, int64_t row, int64_t panel, Ahead ahead);
template <typename Type, size_t... kIndex>
constexpr std::array<TileFunction, sizeof...(kIndex)> TileFunctions(std::index_sequence<kIndex...>) {
  return {Tile<Type, static_cast<int64_t>(kIndex) + 1>...};
}
template <typename Type>
constexpr auto kTiles = TileFunctions<Type>(std::make_index_sequence<kTile>());

template <typename Type>
void RunAll(const PanelOperands& o) {
  const int64_t panels = (o.out + kPanelColumns - 1) / kPanelColumns;
  const int64_t tiles = (o.rows + kTile - 1) / kTile;
  const int64_t panel_bytes = o.words * kPanelColumns * kWordBytes;
  for (int64_t panel = 0; panel < panels; ++panel) {  // stays in the first cache for all the tiles
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t first = o.rows * i / tiles, last = o.rows * (i + 1) / tiles;
      const Ahead ahead =
          panel + 1 < panels ? PartOf(o.panels + (panel + 1) * panel_bytes, panel_bytes, i, tiles) : Ahead{};
      kTiles<Type>[static_cast<size_t>(last - first - 1)](o, first, panel, ahead);
    }
  }
}

}  // namespace

bool HasPanelKernel(ComputeType type) {
  const ProductIsa isa = DetectProductIsa();
  switch (type) {
    case ComputeType::kF32:
      return isa.avx512;
    case ComputeType::kBf16:
      return isa.avx512 && isa.bf16;
    case ComputeType::kInt8:
      return isa.avx512 && isa.vnni;
    default:
      return false;
  }
}

void RunPanels(ComputeType type, const PanelOperands& operands) {
  switch (type) {
    case ComputeType::kBf16:
      return RunAll<Bf16>(operands);
    case ComputeType::kInt8:
      return RunAll<Int8>(operands);
    default:
      return RunAll<F32>(operands);
  }
}

}  // namespace tutti

#else

namespace tutti {

bool HasPanelKernel(ComputeType) { return false; }
void RunPanels(ComputeType, const PanelOperands&) {}

}  // namespace tutti

#endif
