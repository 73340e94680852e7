#include "nn/cross_attention_quads.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#if defined(__x86_64__)

#include "nn/avx512.h"

namespace tutti {
namespace {

constexpr int64_t kLane = kAvx512Lanes;
constexpr int64_t kNumbers = 4;              // in a word
constexpr int64_t kLine = kLane * kNumbers;  // bytes of a vector
constexpr int64_t kHeardTogether = 3;        // queries
constexpr int64_t kSideBySide = 4;           // vectors of keys, or of columns of values
constexpr float kKeyLevels = 127, kLevels = 65535;

// Row `x` [dk] in steps of the 127th part of the largest; what a step is.
TUTTI_AVX512 float RoundRow(const float* x, int64_t dk, int8_t* levels) {
  __m512 largest = _mm512_setzero_ps();
  for (int64_t c = 0; c < dk; c += kLane) {
    largest = _mm512_max_ps(largest, _mm512_abs_ps(_mm512_maskz_loadu_ps(LanesWithin(dk - c), x + c)));
  }
  const float most = _mm512_reduce_max_ps(largest);
  const __m512 inverse = _mm512_set1_ps(most > 0 ? kKeyLevels / most : 0.0F);
  for (int64_t c = 0; c < dk; c += kLane) {
    const __m512i level = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(LanesWithin(dk - c), x + c), inverse));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(levels + c), _mm512_cvtsepi32_epi8(level));
  }
  return most / kKeyLevels;
}

// Products of kRows queries with kBlocks · 16 keys from `keys` on, [kRows, stride].
template <int64_t kRows, int64_t kBlocks>
TUTTI_AVX512 void ScoreBlocks(const int8_t* queries, int64_t padded_dk, const std::byte* keys, int32_t* products,
                              int64_t stride) {
  const int64_t words = padded_dk / kNumbers, block_bytes = words * kLine;
  __m512i sums[kRows][kBlocks];
  for (auto& row : sums) {
    for (__m512i& sum : row) sum = _mm512_setzero_si512();
  }
  for (int64_t i = 0; i < words; ++i) {
    __m512i query[kRows];
    for (int64_t r = 0; r < kRows; ++r) query[r] = BroadcastWord(queries + r * padded_dk + i * kNumbers);
    for (int64_t j = 0; j < kBlocks; ++j) {
      const __m512i key = _mm512_loadu_si512(keys + j * block_bytes + i * kLine);
      for (int64_t r = 0; r < kRows; ++r) sums[r][j] = AddQuadProducts(sums[r][j], key, query[r]);
    }
  }
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t j = 0; j < kBlocks; ++j) _mm512_storeu_si512(products + r * stride + j * kLane, sums[r][j]);
  }
}

template <int64_t kRows>
void Score(const int8_t* queries, const CrossMemory& memory, const std::byte* keys, int32_t* products) {
  const int64_t padded = memory.padded_rows(), row_bytes = memory.padded_dk();
  int64_t t = 0;
  for (; t + kSideBySide * kLane <= padded; t += kSideBySide * kLane) {
    ScoreBlocks<kRows, kSideBySide>(queries, row_bytes, keys + t * row_bytes, products + t, padded);
  }
  for (; t < padded; t += kLane) ScoreBlocks<kRows, 1>(queries, row_bytes, keys + t * row_bytes, products + t, padded);
}

// What a query's weights are multiplied by: two bytes each, the upper ones of four rows in a word, then the lower ones.
struct WeightPlanes {
  uint8_t* upper;
  uint8_t* lower;
};

// kColumns vectors of columns of kRows queries' results, in units of the 65535th part of their largest weight.
template <int64_t kRows, int64_t kColumns>
TUTTI_AVX512 void SumColumns(const WeightPlanes& planes, int64_t padded, const std::byte* values, int64_t padded_dk,
                             float* out) {
  __m512i upper[kRows][kColumns], lower[kRows][kColumns];
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t j = 0; j < kColumns; ++j) upper[r][j] = lower[r][j] = _mm512_setzero_si512();
  }
  for (int64_t t = 0; t < padded; t += kNumbers, values += padded_dk * kNumbers) {
    __m512i value[kColumns];
    for (int64_t j = 0; j < kColumns; ++j) value[j] = _mm512_loadu_si512(values + j * kLine);
    for (int64_t r = 0; r < kRows; ++r) {
      const __m512i high = BroadcastWord(planes.upper + r * padded + t),
                    low = BroadcastWord(planes.lower + r * padded + t);
      for (int64_t j = 0; j < kColumns; ++j) {
        upper[r][j] = AddQuadProducts(upper[r][j], high, value[j]);
        lower[r][j] = AddQuadProducts(lower[r][j], low, value[j]);
      }
    }
  }
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t j = 0; j < kColumns; ++j) {
      const __m512 sum =
          _mm512_fmadd_ps(_mm512_cvtepi32_ps(upper[r][j]), _mm512_set1_ps(256), _mm512_cvtepi32_ps(lower[r][j]));
      _mm512_storeu_ps(out + r * padded_dk + j * kLane, sum);
    }
  }
}

template <int64_t kRows>
void Sum(const WeightPlanes& planes, const CrossMemory& memory, const std::byte* values, float* out) {
  const int64_t padded = memory.padded_rows(), width = memory.padded_dk();
  int64_t c = 0;
  for (; c + kSideBySide * kLane <= width; c += kSideBySide * kLane) {
    SumColumns<kRows, kSideBySide>(planes, padded, values + c * kNumbers, width, out + c);
  }
  for (; c < width; c += kLane) SumColumns<kRows, 1>(planes, padded, values + c * kNumbers, width, out + c);
}

// One query's products become its weights, times the scales of the values, in two bytes each, 0 behind the keys. What
// the sums are to be multiplied by. `seen`, where it is not null, receives the weights themselves.
TUTTI_AVX512 float WeighRows(int32_t* products, int32_t offset, float factor, const CrossMemory& memory,
                             const CrossMemory::Head& head, uint8_t* upper, uint8_t* lower, float* seen) {
  const int64_t keys = memory.rows(), padded = memory.padded_rows();
  auto* const scores = reinterpret_cast<float*>(products);
  __m512 max = _mm512_set1_ps(std::numeric_limits<float>::lowest());
  for (int64_t t = 0; t < padded; t += kLane) {
    const __m512i product = _mm512_sub_epi32(_mm512_loadu_si512(products + t), _mm512_set1_epi32(offset));
    const __m512 score = _mm512_mul_ps(_mm512_cvtepi32_ps(product), _mm512_loadu_ps(head.key_scales + t));
    max = _mm512_mask_max_ps(max, LanesWithin(keys - t), max, score);
    _mm512_storeu_ps(scores + t, score);
  }
  max = _mm512_set1_ps(_mm512_reduce_max_ps(max));
  __m512 sum = _mm512_setzero_ps(), most = _mm512_setzero_ps();
  for (int64_t t = 0; t < padded; t += kLane) {
    const __m512 below = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(scores + t), max), _mm512_set1_ps(factor));
    const __m512 weight = _mm512_maskz_mov_ps(LanesWithin(keys - t), CoarseExp(below));
    sum = _mm512_add_ps(sum, weight);
    most = _mm512_max_ps(most, _mm512_mul_ps(weight, _mm512_loadu_ps(head.value_scales + t)));
    _mm512_storeu_ps(scores + t, weight);
  }
  const float total = _mm512_reduce_add_ps(sum), largest = _mm512_reduce_max_ps(most);
  for (int64_t t = 0; seen != nullptr && t < keys; ++t) seen[t] = scores[t] / total;
  const __m512 steps = _mm512_set1_ps(largest > 0 ? kLevels / largest : 0.0F);
  for (int64_t t = 0; t < padded; t += kLane) {
    const __m512 weight = _mm512_mul_ps(_mm512_loadu_ps(scores + t), _mm512_loadu_ps(head.value_scales + t));
    const __m512i level = _mm512_cvtps_epi32(_mm512_mul_ps(weight, steps));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(upper + t), _mm512_cvtepi32_epi8(_mm512_srli_epi32(level, 8)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(lower + t), _mm512_cvtepi32_epi8(level));
  }
  return largest / kLevels / total;
}

template <int64_t kRows>
void AttendSome(const int8_t* queries, const float* steps, float scale, const CrossMemory& memory,
                const CrossMemory::Head& head, int32_t* products, const WeightPlanes& planes, float* sums, float* out,
                int64_t out_stride, float* weights) {
  const int64_t padded = memory.padded_rows(), padded_dk = memory.padded_dk(), dk = memory.shape().dk;
  constexpr int32_t kAbove = 128;  // by which keys are above their values
  Score<kRows>(queries, memory, head.keys, products);
  float units[kRows];
  for (int64_t r = 0; r < kRows; ++r) {
    int32_t offset = 0;
    for (int64_t c = 0; c < dk; ++c) offset += kAbove * queries[r * padded_dk + c];
    units[r] = WeighRows(products + r * padded, offset, scale * steps[r], memory, head, planes.upper + r * padded,
                         planes.lower + r * padded, weights != nullptr ? weights + r * memory.rows() : nullptr);
  }
  Sum<kRows>(planes, memory, head.values, sums);
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t c = 0; c < dk; ++c) out[r * out_stride + c] = sums[r * padded_dk + c] * units[r];
  }
}

}  // namespace

TUTTI_AVX512 void PutQuads(const CrossMemory& memory, const CrossMemory::Head& head, int64_t first, int64_t count,
                           const float* keys, const float* values, int64_t stride) {
  const int64_t dk = memory.shape().dk, padded_dk = memory.padded_dk(), words = padded_dk / kNumbers;
  std::vector<int8_t> levels(static_cast<size_t>(padded_dk));
  for (int64_t t = first; t < first + count; ++t, keys += stride, values += stride) {
    head.key_scales[t] = RoundRow(keys, dk, levels.data());
    for (int8_t& level : levels) level = static_cast<int8_t>(level ^ 0x80);
    std::byte* key = head.keys + t / kLane * words * kLine + t % kLane * kNumbers;
    for (int64_t i = 0; i < words; ++i) std::memcpy(key + i * kLine, levels.data() + i * kNumbers, kNumbers);

    head.value_scales[t] = RoundRow(values, dk, levels.data());
    const int64_t place = t % kNumbers;  // in each word
    const auto bytes = static_cast<__mmask64>(0x1111111111111111ULL << place);
    const __m512i shift = _mm512_set1_epi32(static_cast<int>(8 * place));
    std::byte* value = head.values + t / kNumbers * padded_dk * kNumbers;
    for (int64_t c = 0; c < padded_dk; c += kLane) {
      const __m128i level = _mm_loadu_si128(reinterpret_cast<const __m128i*>(levels.data() + c));
      _mm512_mask_storeu_epi8(value + c * kNumbers, bytes, _mm512_sllv_epi32(_mm512_cvtepi8_epi32(level), shift));
    }
  }
}

void AttendQuads(const float* q, int64_t q_stride, int64_t rows, const CrossMemory& memory,
                 const CrossMemory::Head& head, float scale, float* out, int64_t out_stride, float* weights,
                 Workspace& workspace) {
  Workspace::Scope scope(workspace);
  const int64_t padded = memory.padded_rows(), padded_dk = memory.padded_dk(), dk = memory.shape().dk;
  auto* queries = scope.As<int8_t>(kHeardTogether * padded_dk);
  auto* products = scope.As<int32_t>(kHeardTogether * padded);
  const WeightPlanes planes = {scope.As<uint8_t>(kHeardTogether * padded), scope.As<uint8_t>(kHeardTogether * padded)};
  float* sums = scope.Floats(kHeardTogether * padded_dk);
  static_assert(kHeardTogether == 3);
  for (int64_t first = 0; first < rows; first += kHeardTogether) {
    const int64_t count = std::min(kHeardTogether, rows - first);
    float steps[kHeardTogether];
    for (int64_t r = 0; r < count; ++r) steps[r] = RoundRow(q + (first + r) * q_stride, dk, queries + r * padded_dk);
    const auto attend = count == 3 ? &AttendSome<3> : count == 2 ? &AttendSome<2> : &AttendSome<1>;
    attend(queries, steps, scale, memory, head, products, planes, sums, out + first * out_stride, out_stride,
           weights != nullptr ? weights + first * memory.rows() : nullptr);
  }
}

}  // namespace tutti

#else

namespace tutti {

// HasInt8Attention() is false here.
void PutQuads(const CrossMemory&, const CrossMemory::Head&, int64_t, int64_t, const float*, const float*, int64_t) {}
void AttendQuads(const float*, int64_t, int64_t, const CrossMemory&, const CrossMemory::Head&, float, float*, int64_t,
                 float*, Workspace&) {}

}  // namespace tutti

#endif
