// Attention on CPUs that sum four products of 8-bit numbers at once (AVX-512 VNNI) and are no faster in bf16.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "nn/attention_head.h"
#include "nn/quantise.h"

#if defined(__x86_64__)

#include "nn/avx512.h"
#include "nn/matrix_product.h"

namespace tutti {
namespace {

constexpr int64_t kQuad = 4;  // 8-bit numbers in a word
constexpr int64_t kVector = kAvx512Lanes;
// Queries that run together: with two vectors of columns they need 24 of the 32 registers.
constexpr int64_t kQuadRows = 12;
constexpr float kWeightLevels = 65535;  // weights are two bytes each, multiplied one after the other
constexpr int64_t kByte = 256;

int64_t UpTo(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

struct QuadOperands {
  const uint8_t* a;   // [rows, 4 · depth]
  int64_t depth;      // in words
  const uint32_t* b;  // [depth, columns] words of four signed numbers
  int64_t columns;    // a multiple of 16
  int32_t* out;       // [rows, columns]
};

// kColumns vectors of columns from `c` on.
template <int64_t kRows, int64_t kColumns>
TUTTI_AVX512 void QuadColumns(const QuadOperands& o, int64_t c) {
  __m512i sums[kRows][kColumns];
  for (auto& row : sums) {
    for (__m512i& sum : row) sum = _mm512_setzero_si512();
  }
  const uint32_t* b = o.b + c;
  for (int64_t i = 0; i < o.depth; ++i, b += o.columns) {
    __m512i in[kColumns];
    for (int64_t j = 0; j < kColumns; ++j) in[j] = _mm512_loadu_si512(b + j * kVector);
    for (int64_t r = 0; r < kRows; ++r) {
      const __m512i factor = BroadcastWord(o.a + (r * o.depth + i) * kQuad);
      for (int64_t j = 0; j < kColumns; ++j) sums[r][j] = AddQuadProducts(sums[r][j], factor, in[j]);
    }
  }
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t j = 0; j < kColumns; ++j) _mm512_storeu_si512(o.out + r * o.columns + c + j * kVector, sums[r][j]);
  }
}

template <int64_t kRows>
TUTTI_AVX512 void QuadProduct(const QuadOperands& o) {
  int64_t c = 0;
  for (; c + 2 * kVector <= o.columns; c += 2 * kVector) QuadColumns<kRows, 2>(o, c);
  if (c < o.columns) QuadColumns<kRows, 1>(o, c);
}

using QuadFunction = void (*)(const QuadOperands&);
template <size_t... kIndex>
constexpr std::array<QuadFunction, sizeof...(kIndex)> QuadFunctions(std::index_sequence<kIndex...>) {
  return {QuadProduct<static_cast<int64_t>(kIndex) + 1>...};
}
constexpr auto kQuadProducts = QuadFunctions(std::make_index_sequence<kQuadRows>());

// A head's keys and values as the products want them, zeros behind them.
struct PackedHead {
  int64_t padded_keys, padded_dk;
  uint32_t* keys;     // [padded_dk / 4, padded_keys]
  float* key_scales;  // [padded_keys]
  float* key_sums;
  uint32_t* values;     // [padded_keys / 4, padded_dk]
  float* value_scales;  // [padded_dk]
};

void PackKeyQuads(const AttentionHeadView& head, const PackedHead& packed, Workspace& workspace) {
  Workspace::Scope scope(workspace);
  auto* row = scope.As<int8_t>(packed.padded_dk);
  std::fill_n(row, packed.padded_dk, int8_t{0});
  for (int64_t t = 0; t < packed.padded_keys; ++t) {
    if (t < head.keys) {
      QuantiseWeights(head.k + t * head.k_stride, 1, head.dk, row, packed.key_scales + t);
    } else {
      std::fill_n(row, head.dk, int8_t{0});
      packed.key_scales[t] = 0;
    }
    int32_t sum = 0;
    for (int64_t c = 0; c < head.dk; ++c) sum += row[c];
    packed.key_sums[t] = static_cast<float>(sum);
    for (int64_t i = 0; i < packed.padded_dk / kQuad; ++i) {
      std::memcpy(packed.keys + i * packed.padded_keys + t, row + i * kQuad, kQuad);
    }
  }
}

TUTTI_AVX512 void PackValueQuads(const AttentionHeadView& head, const PackedHead& packed) {
  constexpr float kLargest = 127;
  for (int64_t c = 0; c < packed.padded_dk; c += kVector) {
    const __mmask16 inside = LanesWithin(head.dk - c);
    __m512 largest = _mm512_setzero_ps();
    for (int64_t t = 0; t < head.keys; ++t) {
      largest = _mm512_max_ps(largest, _mm512_abs_ps(_mm512_maskz_loadu_ps(inside, head.v + t * head.v_stride + c)));
    }
    const __m512 unit = _mm512_div_ps(largest, _mm512_set1_ps(kLargest));
    _mm512_storeu_ps(packed.value_scales + c, unit);
    const __mmask16 some = _mm512_cmp_ps_mask(largest, _mm512_setzero_ps(), _CMP_GT_OQ);
    const __m512 inverse = _mm512_maskz_div_ps(some, _mm512_set1_ps(kLargest), largest);
    for (int64_t t = 0; t < packed.padded_keys; t += kQuad) {
      __m512i quads = _mm512_setzero_si512();
      for (int j = 0; j < kQuad && t + j < head.keys; ++j) {
        const __m512 x = _mm512_maskz_loadu_ps(inside, head.v + (t + j) * head.v_stride + c);
        const __m512i level = _mm512_and_si512(_mm512_cvtps_epi32(_mm512_mul_ps(x, inverse)), _mm512_set1_epi32(255));
        quads = _mm512_or_si512(quads, _mm512_sllv_epi32(level, _mm512_set1_epi32(8 * j)));
      }
      _mm512_storeu_si512(packed.values + t / kQuad * packed.padded_dk + c, quads);
    }
  }
}

// Products of a query's levels with the keys, [padded_keys], become the weights' upper and lower bytes: of
// exp(scale · (score - the largest)) in steps of 1 / kWeightLevels, 0 behind the keys. Returns their sum.
TUTTI_AVX512 int64_t WeightBytes(int32_t* products, const RowScale& query, const PackedHead& packed, int64_t keys,
                                 float scale, uint8_t* upper, uint8_t* lower) {
  const __m512 zero = _mm512_set1_ps(static_cast<float>(query.zero));
  __m512 max = _mm512_set1_ps(std::numeric_limits<float>::lowest());
  for (int64_t i = 0; i < packed.padded_keys; i += kVector) {
    const __m512 product = _mm512_cvtepi32_ps(_mm512_loadu_si512(products + i));
    const __m512 shifted = _mm512_fnmadd_ps(zero, _mm512_loadu_ps(packed.key_sums + i), product);
    const __m512 score = _mm512_mul_ps(shifted, _mm512_loadu_ps(packed.key_scales + i));
    max = _mm512_mask_max_ps(max, LanesWithin(keys - i), max, score);
    _mm512_storeu_ps(products + i, score);
  }
  max = _mm512_set1_ps(_mm512_reduce_max_ps(max));
  const __m512 factor = _mm512_set1_ps(scale * query.scale);
  __m512i sum = _mm512_setzero_si512();
  for (int64_t i = 0; i < packed.padded_keys; i += kVector) {
    const __m512 below = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(products + i), max), factor);
    const __m512 weight = _mm512_mul_ps(CoarseExp(below), _mm512_set1_ps(kWeightLevels));
    const __m512i level = _mm512_maskz_cvtps_epi32(LanesWithin(keys - i), weight);
    sum = _mm512_add_epi32(sum, level);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(upper + i), _mm512_cvtepi32_epi8(_mm512_srli_epi32(level, 8)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(lower + i), _mm512_cvtepi32_epi8(level));
  }
  return _mm512_reduce_add_epi64(_mm512_add_epi64(_mm512_cvtepu32_epi64(_mm512_castsi512_si256(sum)),
                                                  _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(sum, 1))));
}

}  // namespace

void AttentionHeadInt8(const AttentionHeadView& head, float scale, Workspace& workspace) {
  Workspace::Scope scope(workspace);
  const int64_t padded_keys = UpTo(head.keys, kVector), padded_dk = UpTo(head.dk, kVector);
  const PackedHead packed = {.padded_keys = padded_keys,
                             .padded_dk = padded_dk,
                             .keys = scope.As<uint32_t>(padded_dk / kQuad * padded_keys),
                             .key_scales = scope.Floats(padded_keys),
                             .key_sums = scope.Floats(padded_keys),
                             .values = scope.As<uint32_t>(padded_keys / kQuad * padded_dk),
                             .value_scales = scope.Floats(padded_dk)};
  auto* queries = scope.As<uint8_t>(kQuadRows * padded_dk);
  auto* products = scope.As<int32_t>(kQuadRows * padded_keys);
  auto* upper = scope.As<uint8_t>(kQuadRows * padded_keys);
  auto* lower = scope.As<uint8_t>(kQuadRows * padded_keys);
  auto* by_upper = scope.As<int32_t>(kQuadRows * padded_dk);
  auto* by_lower = scope.As<int32_t>(kQuadRows * padded_dk);
  std::fill_n(queries, kQuadRows * padded_dk, uint8_t{0});
  PackKeyQuads(head, packed, workspace);
  PackValueQuads(head, packed);
  for (int64_t first = 0; first < head.queries; first += kQuadRows) {
    const int64_t rows = std::min(kQuadRows, head.queries - first);
    const QuadFunction product = kQuadProducts[static_cast<size_t>(rows - 1)];
    RowScale scales[kQuadRows];
    for (int64_t r = 0; r < rows; ++r) {
      QuantiseRows(head.q + (first + r) * head.q_stride, 1, head.dk, 255, queries + r * padded_dk, scales + r);
    }
    product({queries, padded_dk / kQuad, packed.keys, padded_keys, products});
    float inverse[kQuadRows];
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = r * padded_keys;
      inverse[r] = 1.0F / static_cast<float>(
                              WeightBytes(products + at, scales[r], packed, head.keys, scale, upper + at, lower + at));
    }
    product({upper, padded_keys / kQuad, packed.values, padded_dk, by_upper});
    product({lower, padded_keys / kQuad, packed.values, padded_dk, by_lower});
    for (int64_t r = 0; r < rows; ++r) {
      float* out = head.out + (first + r) * head.out_stride;
      for (int64_t c = 0; c < head.dk; ++c) {
        const int64_t at = r * padded_dk + c;
        // Up to 255 · 127 · 256 · keys: more than 32 bits.
        const int64_t sum = kByte * by_upper[at] + by_lower[at];
        out[c] = static_cast<float>(sum) * (packed.value_scales[c] * inverse[r]);
      }
    }
  }
}

bool HasInt8Attention() {
  const ProductIsa isa = DetectProductIsa();
  return isa.avx512 && isa.vnni;
}

}  // namespace tutti

#else

namespace tutti {

bool HasInt8Attention() { return false; }
void AttentionHeadInt8(const AttentionHeadView&, float, Workspace&) {}

}  // namespace tutti

#endif
