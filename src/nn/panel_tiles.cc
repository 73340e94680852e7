// PanelProduct's inner loop on CPUs with AMX: panels are what its tiles are loaded from.
#include "nn/panel_tiles.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)

#include "nn/amx.h"
#include "nn/panel_epilogue.h"

namespace tutti {
namespace {

constexpr int64_t kTileWords = amx::kRowBytes / kWordBytes;
constexpr int64_t kPanelWordBytes = kPanelColumns * kWordBytes;
static_assert(kPanelWordBytes == 2 * amx::kRowBytes && kDepthBytes == amx::kRowBytes);

struct Bf16Tiles {
  static void AddProducts(bool two) { two ? amx::AddBf16Products() : amx::AddBf16Products0(); }
  TUTTI_AVX512 static __m512 Load(const std::byte* from) { return _mm512_load_ps(from); }
};

struct Int8Tiles {
  static void AddProducts(bool two) { two ? amx::AddInt8Products() : amx::AddInt8Products0(); }
  TUTTI_AVX512 static __m512i Load(const std::byte* from) { return _mm512_load_si512(from); }
};

// One tile of rows, or two, by one panel.
struct Pass {
  int64_t panel = 0;
  int64_t rows[2] = {0, -1};  // where each tile begins; -1: there is no second one
  int64_t known[2] = {};      // how many of its rows an earlier tile has had
};

// `tail` is the end of the panel, below its last whole tile.
template <typename Type>
void Multiply(const PanelOperands& o, const Pass& pass, const std::byte* tail, PanelAhead ahead) {
  const std::byte* w = o.panels + pass.panel * o.words * kPanelWordBytes;
  const bool two = pass.rows[1] >= 0;
  const std::byte* x0 = o.x + pass.rows[0] * o.x_stride;
  const std::byte* x1 = two ? o.x + pass.rows[1] * o.x_stride : nullptr;
  const auto add = [&](int64_t step, const std::byte* weights) {
    amx::LoadColumns(weights, kPanelWordBytes);
    amx::LoadRows0(x0 + step * amx::kRowBytes, o.x_stride);
    if (two) amx::LoadRows1(x1 + step * amx::kRowBytes, o.x_stride);
    Type::AddProducts(two);
  };
  const int64_t steps = o.words / kTileWords;
  amx::ZeroSums();
  for (int64_t i = 0; i < steps; ++i, w += kTileWords * kPanelWordBytes) {
    add(i, w);
    for (int64_t line = ahead.lines * i / steps; line < ahead.lines * (i + 1) / steps; ++line) {
      _mm_prefetch(ahead.from + line * kPanelLine, _MM_HINT_T1);
    }
  }
  if (o.words % kTileWords != 0) add(steps, tail);
}

// Two tiles of rows by kPanelColumns words.
struct alignas(64) Sums {
  static constexpr int64_t kTileBytes = amx::kRows * kPanelWordBytes;
  std::byte tiles[2][kTileBytes];
};

template <typename Type>
TUTTI_AVX512 void Finish(const PanelOperands& o, const Pass& pass, int64_t height, const Sums& sums) {
  for (int64_t tile = 0; tile < 2 && pass.rows[tile] >= 0; ++tile) {
    const int64_t known = pass.known[tile], first = pass.rows[tile] + known;
    for (int64_t j = 0; j < 2; ++j) {
      const int64_t column = pass.panel * kPanelColumns + j * kPanelLanes;
      const PanelColumnsEnd columns = LoadPanelColumns(o, column);
      const std::byte* from = sums.tiles[tile] + known * kPanelWordBytes + j * amx::kRowBytes;
      float* y = o.y + first * o.y_stride + column;
      const RowScale* scale = o.row_scales + first;
      for (int64_t r = known; r < height; ++r, from += kPanelWordBytes, y += o.y_stride, ++scale) {
        StoreCombined(FinishSum(Type::Load(from), columns, scale), o.combine, columns.inside, y);
      }
    }
  }
}

// All tiles have one height, since a change of it clears them; so one may begin with rows that the one before it has
// had, whose sums are left alone. A pass's sums are finished while the next pass multiplies.
template <typename Type>
void RunAll(const PanelOperands& o) {
  const int64_t tiles = (o.rows + amx::kRows - 1) / amx::kRows, height = (o.rows + tiles - 1) / tiles;
  const int64_t passes = (tiles + 1) / 2;
  const int64_t panels = (o.out + kPanelColumns - 1) / kPanelColumns;
  const int64_t panel_bytes = o.words * kPanelWordBytes, tail_bytes = o.words % kTileWords * kPanelWordBytes;
  alignas(64) std::byte tail[kTileWords * kPanelWordBytes] = {};
  Sums sums[2];
  Pass before;
  amx::Configure(height);
  for (int64_t number = 0; number < panels * passes; ++number) {
    const int64_t panel = number / passes, i = number % passes;
    const std::byte* const end = o.panels + (panel + 1) * panel_bytes;
    if (i == 0) std::memcpy(tail, end - tail_bytes, static_cast<size_t>(tail_bytes));
    Pass pass = {.panel = panel};
    for (int64_t j = 0; j < 2 && 2 * i + j < tiles; ++j) {
      const int64_t due = (2 * i + j) * height;
      pass.rows[j] = std::min(due, o.rows - height);
      pass.known[j] = due - pass.rows[j];
    }
    Multiply<Type>(o, pass, tail, panel + 1 < panels ? PartOfPanel(end, panel_bytes, i, passes) : PanelAhead{});
    if (number > 0) Finish<Type>(o, before, height, sums[(number - 1) % 2]);
    Sums& now = sums[number % 2];
    amx::StoreSums0(now.tiles[0], kPanelWordBytes);
    if (pass.rows[1] >= 0) amx::StoreSums1(now.tiles[1], kPanelWordBytes);
    before = pass;
  }
  Finish<Type>(o, before, height, sums[(panels * passes - 1) % 2]);
  amx::Release();
}

}  // namespace

void RunBf16Tiles(const PanelOperands& operands) { RunAll<Bf16Tiles>(operands); }
void RunInt8Tiles(const PanelOperands& operands) { RunAll<Int8Tiles>(operands); }

}  // namespace tutti

#else

namespace tutti {

void RunBf16Tiles(const PanelOperands&) {}
void RunInt8Tiles(const PanelOperands&) {}

}  // namespace tutti

#endif
