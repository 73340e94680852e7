#include "nn/panel_kernel.h"

#include <array>
#include <utility>

#include "nn/matrix_product.h"

#if defined(__x86_64__)

#include "nn/amx.h"
#include "nn/panel_epilogue.h"
#include "nn/panel_tiles.h"

namespace tutti {
namespace {

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
  TUTTI_AVX512 static Sum AddProducts(Sum sum, __m512i x, __m512i w) { return AddQuadProducts(sum, x, w); }
};

// kRows rows from `row` on by one panel. Each row's sum is a chain of its own, so its bits do not depend on kRows.
template <typename Type, int64_t kRows>
TUTTI_AVX512 void Tile(const PanelOperands& o, int64_t row, int64_t panel, PanelAhead ahead) {
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
      const __m512i factor = BroadcastWord(x[r / kStrides] + (r % kStrides) * o.x_stride);
      sums[r][0] = Type::AddProducts(sums[r][0], factor, w0);
      sums[r][1] = Type::AddProducts(sums[r][1], factor, w1);
    }
    for (const std::byte*& base : x) base += kWordBytes;
    if (i < ahead.lines) _mm_prefetch(ahead.from + i * kPanelLine, _MM_HINT_T1);
  }
  for (int64_t j = 0; j < kColumns; ++j) {
    const int64_t column = panel * kPanelColumns + j * kPanelLanes;
    const PanelColumnsEnd columns = LoadPanelColumns(o, column);
    float* y = o.y + row * o.y_stride + column;
    for (int64_t r = 0; r < kRows; ++r, y += o.y_stride) {
      StoreCombined(FinishSum(sums[r][j], columns, o.row_scales + row + r), o.combine, columns.inside, y);
    }
  }
}

using TileFunction = void (*)(const PanelOperands&, int64_t row, int64_t panel, PanelAhead ahead);
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
      const PanelAhead ahead =
          panel + 1 < panels ? PartOfPanel(o.panels + (panel + 1) * panel_bytes, panel_bytes, i, tiles) : PanelAhead{};
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

int64_t PanelBlockRows() {
  // Tiles multiply so fast that weights, which come from the third cache, are wanted for more rows.
  return DetectProductIsa().amx && amx::Allowed() ? 176 : 96;
}

PanelKernel FindPanelKernel(ComputeType type) {
  if (!HasPanelKernel(type)) return nullptr;
  if (type == ComputeType::kF32) return &RunAll<F32>;
  const bool tiles = DetectProductIsa().amx && amx::Allowed();
  if (type == ComputeType::kBf16) return tiles ? &RunBf16Tiles : &RunAll<Bf16>;
  return tiles ? &RunInt8Tiles : &RunAll<Int8>;
}

}  // namespace tutti

#else

namespace tutti {

bool HasPanelKernel(ComputeType) { return false; }
PanelKernel FindPanelKernel(ComputeType) { return nullptr; }
int64_t PanelBlockRows() { return 96; }

}  // namespace tutti

#endif
