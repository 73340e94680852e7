// Attention on CPUs with bf16 products (AVX512_BF16, AMX). Highway 1.0 has no name for them, hence intrinsics.
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "nn/attention_head.h"

#if defined(__x86_64__)

#include "nn/amx.h"
#include "nn/avx512.h"
#include "nn/matrix_product.h"

#define TUTTI_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

namespace tutti {
namespace {

constexpr int64_t kLanes = 16;
// Queries that run together: with two vectors of columns they need 24 of the 32 registers.
constexpr int64_t kTile = 12;

int64_t RoundUp(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

// sum + the products of 16 pairs of bf16.
TUTTI_BF16 inline __m512 AddProducts(__m512 sum, __m512i a, __m512i b) {
#if defined(__clang__)
  // clang 16 crashes on vectors of bf16 that come from other types.
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
#else
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
#endif
}

// 16 floats to 16 bf16, to nearest and ties to even.
TUTTI_BF16 inline __m256i Narrow(__m512 x) {
  __m256i bits;
#if defined(__clang__)
  asm("vcvtneps2bf16 %1, %0" : "=v"(bits) : "v"(x));
#else
  bits = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x));
#endif
  return bits;
}

// x [width] to bf16, zeros up to `padded`, a multiple of 16.
TUTTI_BF16 void NarrowRow(const float* x, int64_t width, int64_t padded, uint16_t* y) {
  for (int64_t i = 0; i < padded; i += kLanes) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i),
                        Narrow(_mm512_maskz_loadu_ps(LanesWithin(width - i), x + i)));
  }
}

// The same of a row that is bf16 already.
void NarrowRow(const uint16_t* x, int64_t width, int64_t padded, uint16_t* y) {
  std::fill(std::copy_n(x, width, y), y + padded, uint16_t{0});
}

// The 16 × 16 matrix of pairs whose rows stand `stride` pairs apart, transposed.
TUTTI_BF16 void TransposePairs(const uint32_t* from, int64_t from_stride, uint32_t* to, int64_t to_stride) {
  __m512i a[16], b[16];
  for (int64_t i = 0; i < 16; ++i) a[i] = _mm512_loadu_si512(from + i * from_stride);
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
    a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
    a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
    a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
  }
  // a[4g + j] holds columns j, j+4, j+8, j+12 of rows 4g … 4g+3, one in each quarter.
  for (int j = 0; j < 4; ++j) {
    const __m512i even0 = _mm512_shuffle_i32x4(a[j], a[4 + j], 0x88), odd0 = _mm512_shuffle_i32x4(a[j], a[4 + j], 0xDD);
    const __m512i even1 = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0x88),
                  odd1 = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0xDD);
    _mm512_storeu_si512(to + j * to_stride, _mm512_shuffle_i32x4(even0, even1, 0x88));
    _mm512_storeu_si512(to + (j + 8) * to_stride, _mm512_shuffle_i32x4(even0, even1, 0xDD));
    _mm512_storeu_si512(to + (j + 4) * to_stride, _mm512_shuffle_i32x4(odd0, odd1, 0x88));
    _mm512_storeu_si512(to + (j + 12) * to_stride, _mm512_shuffle_i32x4(odd0, odd1, 0xDD));
  }
}

// Keys as the first product wants them: pairs [padded_dk / 2, padded_keys], each of two neighbours in a key.
template <typename QueryKey>
TUTTI_BF16 void PackKeys(const AttentionHeadOf<QueryKey>& head, int64_t padded_keys, int64_t padded_dk,
                         uint32_t* packed, Workspace& workspace) {
  Workspace::Scope scope(workspace);
  const int64_t pairs = padded_dk / 2;
  auto* rows = scope.As<uint16_t>(kLanes * padded_dk);
  for (int64_t first = 0; first < padded_keys; first += kLanes) {
    for (int64_t i = 0; i < kLanes; ++i) {
      const bool inside = first + i < head.keys;
      NarrowRow(inside ? head.k + (first + i) * head.k_stride : head.k, inside ? head.dk : 0, padded_dk,
                rows + i * padded_dk);
    }
    for (int64_t pair = 0; pair < pairs; pair += kLanes) {
      TransposePairs(reinterpret_cast<const uint32_t*>(rows) + pair, pairs, packed + pair * padded_keys + first,
                     padded_keys);
    }
  }
}

// Values as the second product wants them: pairs [padded_keys / 2, padded_dk], each of two neighbouring keys.
TUTTI_BF16 void PackValues(const float* v, int64_t v_stride, int64_t keys, int64_t dk, int64_t padded_keys,
                           int64_t padded_dk, uint32_t* packed) {
  for (int64_t t = 0; t < padded_keys; t += 2, packed += padded_dk) {
    for (int64_t c = 0; c < padded_dk; c += kLanes) {
      const __mmask16 columns = LanesWithin(dk - c);
      const float* row = v + t * v_stride + c;
      const auto first = static_cast<__mmask16>(t < keys ? columns : 0);
      const auto second = static_cast<__mmask16>(t + 1 < keys ? columns : 0);
      const __m512i low = _mm512_cvtepu16_epi32(Narrow(_mm512_maskz_loadu_ps(first, row)));
      const __m512i high = _mm512_cvtepu16_epi32(Narrow(_mm512_maskz_loadu_ps(second, row + v_stride)));
      _mm512_storeu_si512(packed + c, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
  }
}

// weights[i] = exp(scale · (scores[i] - max)), 0 behind the keys. Returns 1 / their sum.
TUTTI_BF16 float NarrowWeights(const float* scores, int64_t keys, int64_t padded_keys, float scale, uint16_t* weights) {
  const __m512 lowest = _mm512_set1_ps(std::numeric_limits<float>::lowest());
  __m512 max = lowest;
  for (int64_t i = 0; i < padded_keys; i += kLanes) {
    max = _mm512_max_ps(max, _mm512_mask_loadu_ps(lowest, LanesWithin(keys - i), scores + i));
  }
  max = _mm512_set1_ps(_mm512_reduce_max_ps(max));
  const __m512 scale_v = _mm512_set1_ps(scale);
  __m512 sum = _mm512_setzero_ps();
  for (int64_t i = 0; i < padded_keys; i += kLanes) {
    const __m512 below = _mm512_sub_ps(_mm512_loadu_ps(scores + i), max);
    const __m512 weight = _mm512_maskz_mov_ps(LanesWithin(keys - i), CoarseExp(_mm512_mul_ps(below, scale_v)));
    sum = _mm512_add_ps(sum, weight);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(weights + i), Narrow(weight));
  }
  return 1.0F / _mm512_reduce_add_ps(sum);
}

struct TileOperands {
  const uint16_t* a;  // [rows, 2 · depth], rows a_stride apart
  int64_t a_stride;
  int64_t depth;      // in pairs
  const uint32_t* b;  // [depth, columns]
  int64_t columns;    // a multiple of 16
  float* out;         // [rows, columns]
};

// kColumns vectors of columns from `c` on. Each row's sum is a chain of its own, so its bits do not depend on kRows.
template <int64_t kRows, int64_t kColumns>
TUTTI_BF16 void TileColumns(const TileOperands& tile, int64_t c) {
  __m512 sums[kRows][kColumns];
  for (auto& row : sums) {
    for (__m512& sum : row) sum = _mm512_setzero_ps();
  }
  const uint32_t* b = tile.b + c;
  for (int64_t i = 0; i < tile.depth; ++i, b += tile.columns) {
    __m512i in[kColumns];
    for (int64_t j = 0; j < kColumns; ++j) in[j] = _mm512_loadu_si512(b + j * kLanes);
    for (int64_t r = 0; r < kRows; ++r) {
      const __m512i factor = BroadcastWord(tile.a + r * tile.a_stride + 2 * i);
      for (int64_t j = 0; j < kColumns; ++j) sums[r][j] = AddProducts(sums[r][j], factor, in[j]);
    }
  }
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t j = 0; j < kColumns; ++j) {
      _mm512_storeu_ps(tile.out + r * tile.columns + c + j * kLanes, sums[r][j]);
    }
  }
}

template <int64_t kRows>
TUTTI_BF16 void TileProduct(const TileOperands& tile) {
  int64_t c = 0;
  for (; c + 2 * kLanes <= tile.columns; c += 2 * kLanes) TileColumns<kRows, 2>(tile, c);
  if (c < tile.columns) TileColumns<kRows, 1>(tile, c);
}

using TileFunction = void (*)(const TileOperands&);
template <size_t... kIndex>
constexpr std::array<TileFunction, sizeof...(kIndex)> TileFunctions(std::index_sequence<kIndex...>) {
  return {TileProduct<static_cast<int64_t>(kIndex) + 1>...};
}
constexpr auto kTileProducts = TileFunctions(std::make_index_sequence<kTile>());

// How a block of queries is multiplied: by vectors, …
struct VectorProducts {
  static constexpr int64_t kQueries = kTile;
  static constexpr int64_t kKeyStep = kLanes;
  explicit VectorProducts(int64_t rows) : product_(kTileProducts[static_cast<size_t>(rows - 1)]) {}
  void Run(const TileOperands& tile) const { product_(tile); }

 private:
  const TileFunction product_;
};

// … or by AMX's tiles, one or two of them above each other. The second may begin with rows of the first, whose sums are
// the same.
struct TileProducts {
  static constexpr int64_t kQueries = 2 * amx::kRows;
  static constexpr int64_t kKeyStep = 2 * kLanes;  // keys are the depth of the second product: whole tiles of pairs
  explicit TileProducts(int64_t rows)
      : two_(rows > amx::kRows), height_(two_ ? (rows + 1) / 2 : rows), second_(rows - height_) {
    amx::Configure(height_);
  }
  ~TileProducts() { amx::Release(); }
  TileProducts(const TileProducts&) = delete;
  TileProducts& operator=(const TileProducts&) = delete;

  void Run(const TileOperands& tile) const {
    const int64_t a_bytes = tile.a_stride * 2, row_bytes = tile.columns * kWordOfPair;
    for (int64_t c = 0; c < tile.columns; c += 2 * kLanes) {
      amx::ZeroSums();
      for (int64_t i = 0; i < tile.depth; i += kLanes) {
        amx::LoadColumns(tile.b + i * tile.columns + c, row_bytes);
        amx::LoadRows0(tile.a + 2 * i, a_bytes);
        if (two_) amx::LoadRows1(tile.a + second_ * tile.a_stride + 2 * i, a_bytes);
        two_ ? amx::AddBf16Products() : amx::AddBf16Products0();
      }
      amx::StoreSums0(tile.out + c, row_bytes);
      if (two_) amx::StoreSums1(tile.out + second_ * tile.columns + c, row_bytes);
    }
  }

 private:
  static constexpr int64_t kWordOfPair = 4;
  const bool two_;
  const int64_t height_, second_;
};

template <typename Products, typename QueryKey>
TUTTI_BF16 void RunHead(const AttentionHeadOf<QueryKey>& head, float scale, Workspace& workspace) {
  constexpr int64_t kQueries = Products::kQueries;
  Workspace::Scope scope(workspace);
  const int64_t padded_keys = RoundUp(head.keys, Products::kKeyStep), padded_dk = RoundUp(head.dk, 2 * kLanes);
  auto* keys = scope.As<uint32_t>(padded_dk / 2 * padded_keys);
  auto* values = scope.As<uint32_t>(padded_keys / 2 * padded_dk);
  auto* queries = scope.As<uint16_t>(kQueries * padded_dk);
  auto* scores = scope.Floats(kQueries * padded_keys);
  auto* weights = scope.As<uint16_t>(kQueries * padded_keys);
  auto* result = scope.Floats(kQueries * padded_dk);
  PackKeys(head, padded_keys, padded_dk, keys, workspace);
  PackValues(head.v, head.v_stride, head.keys, head.dk, padded_keys, padded_dk, values);
  for (int64_t first = 0; first < head.queries; first += kQueries) {
    const int64_t rows = std::min(kQueries, head.queries - first);
    const Products products(rows);
    for (int64_t r = 0; r < rows; ++r) {
      NarrowRow(head.q + (first + r) * head.q_stride, head.dk, padded_dk, queries + r * padded_dk);
    }
    products.Run({queries, padded_dk, padded_dk / 2, keys, padded_keys, scores});
    float inverse[kQueries];
    for (int64_t r = 0; r < rows; ++r) {
      inverse[r] = NarrowWeights(scores + r * padded_keys, head.keys, padded_keys, scale, weights + r * padded_keys);
    }
    products.Run({weights, padded_keys, padded_keys / 2, values, padded_dk, result});
    for (int64_t r = 0; r < rows; ++r) {
      float* out = head.out + (first + r) * head.out_stride;
      for (int64_t c = 0; c < head.dk; ++c) out[c] = result[r * padded_dk + c] * inverse[r];
    }
  }
}

template <typename QueryKey>
void RunOnThisCpu(const AttentionHeadOf<QueryKey>& head, float scale, Workspace& workspace) {
  if (DetectProductIsa().amx && amx::Allowed()) return RunHead<TileProducts>(head, scale, workspace);
  RunHead<VectorProducts>(head, scale, workspace);
}

}  // namespace

void AttentionHeadBf16(const AttentionHeadView& head, float scale, Workspace& workspace) {
  RunOnThisCpu(head, scale, workspace);
}
void AttentionHeadBf16(const NarrowHeadView& head, float scale, Workspace& workspace) {
  RunOnThisCpu(head, scale, workspace);
}

}  // namespace tutti

#else

namespace tutti {

// DetectProductIsa().bf16 is false here.
void AttentionHeadBf16(const AttentionHeadView&, float, Workspace&) {}
void AttentionHeadBf16(const NarrowHeadView&, float, Workspace&) {}

}  // namespace tutti

#endif
