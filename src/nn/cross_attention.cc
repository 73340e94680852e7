#include "nn/cross_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "nn/attention_head.h"
#include "nn/cross_attention_quads.h"
#include "nn/element_bytes.h"
#include "nn/quantise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nn/cross_attention.cc"
#include <hwy/foreach_target.h>
// After foreach_target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

// Queries that run together, and vectors of columns: each vector that is read and widened serves all queries.
constexpr int64_t kQueries = 3, kVectors = 4;

HWY_INLINE V LoadWide(D d, const float* x) { return hn::LoadU(d, x); }
HWY_INLINE V LoadWide(D d, const uint16_t* x) {
  const hn::Rebind<uint16_t, D> d16;
  const hn::RebindToUnsigned<D> d32;
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, hn::LoadU(d16, x))));
}
HWY_INLINE V LoadWide(D d, const int8_t* x) {
  const hn::Rebind<int8_t, D> d8;
  const hn::RebindToSigned<D> d32;
  return hn::ConvertTo(d, hn::PromoteTo(d32, hn::LoadU(d8, x)));
}

// out[r, c …] = Σ_i a[r, i] · b[i, c …] over `kCount` vectors of columns, in two chains: even i and odd ones. A row's
// bits do not depend on kRows.
template <int64_t kRows, int64_t kCount, typename T>
HWY_INLINE void CrossTile(const float* a, int64_t a_stride, int64_t depth, const T* b, int64_t b_stride, float* out,
                          int64_t out_stride) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V even[kRows][kCount], odd[kRows][kCount];
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t j = 0; j < kCount; ++j) even[r][j] = odd[r][j] = hn::Zero(d);
  }
  int64_t i = 0;
  for (; i + 1 < depth; i += 2, b += 2 * b_stride) {
    for (int64_t j = 0; j < kCount; ++j) {
      const V in0 = LoadWide(d, b + j * lanes), in1 = LoadWide(d, b + b_stride + j * lanes);
      for (int64_t r = 0; r < kRows; ++r) {
        even[r][j] = hn::MulAdd(hn::Set(d, a[r * a_stride + i]), in0, even[r][j]);
        odd[r][j] = hn::MulAdd(hn::Set(d, a[r * a_stride + i + 1]), in1, odd[r][j]);
      }
    }
  }
  if (i < depth) {
    for (int64_t j = 0; j < kCount; ++j) {
      const V in = LoadWide(d, b + j * lanes);
      for (int64_t r = 0; r < kRows; ++r) even[r][j] = hn::MulAdd(hn::Set(d, a[r * a_stride + i]), in, even[r][j]);
    }
  }
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t j = 0; j < kCount; ++j)
      hn::StoreU(hn::Add(even[r][j], odd[r][j]), d, out + r * out_stride + j * lanes);
  }
}

template <int64_t kRows, typename T>
void CrossColumns(const float* a, int64_t a_stride, int64_t depth, const T* b, int64_t b_stride, int64_t columns,
                  float* out, int64_t out_stride) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(D()));
  int64_t c = 0;
  for (; c + kVectors * lanes <= columns; c += kVectors * lanes) {
    CrossTile<kRows, kVectors>(a, a_stride, depth, b + c, b_stride, out + c, out_stride);
  }
  for (; c < columns; c += lanes) CrossTile<kRows, 1>(a, a_stride, depth, b + c, b_stride, out + c, out_stride);
}

template <typename T>
void CrossProduct(int64_t rows, const float* a, int64_t a_stride, int64_t depth, const T* b, int64_t b_stride,
                  int64_t columns, float* out, int64_t out_stride) {
  static_assert(kQueries == 3);
  if (rows == 3) return CrossColumns<3>(a, a_stride, depth, b, b_stride, columns, out, out_stride);
  if (rows == 2) return CrossColumns<2>(a, a_stride, depth, b, b_stride, columns, out, out_stride);
  CrossColumns<1>(a, a_stride, depth, b, b_stride, columns, out, out_stride);
}

// scores [keys] become weights exp(scale · (s · key_scale - max)), zeros behind them. Returns 1 / their sum.
float CrossWeights(float* scores, int64_t keys, int64_t padded, const float* key_scales, float scale) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  if (key_scales != nullptr) {
    for (int64_t i = 0; i < padded; i += lanes) {
      hn::StoreU(hn::Mul(hn::LoadU(d, scores + i), hn::LoadU(d, key_scales + i)), d, scores + i);
    }
  }
  std::fill(scores + keys, scores + padded, std::numeric_limits<float>::lowest());
  V max_v = hn::LoadU(d, scores);
  for (int64_t i = lanes; i < padded; i += lanes) max_v = hn::Max(max_v, hn::LoadU(d, scores + i));
  const V max = hn::MaxOfLanes(d, max_v), scale_v = hn::Set(d, scale);
  V sum = hn::Zero(d);
  for (int64_t i = 0; i < padded; i += lanes) {
    // The padding's difference overflows to -inf on its way through the scale; Exp takes that to 0.
    const V weight = hn::Exp(d, hn::Mul(hn::Sub(hn::LoadU(d, scores + i), max), scale_v));
    hn::StoreU(weight, d, scores + i);
    sum = hn::Add(sum, weight);
  }
  return 1.0F / hn::GetLane(hn::SumOfLanes(d, sum));
}

template <typename T>
void AttendHead(const float* q, int64_t q_stride, int64_t rows, const CrossMemory& memory,
                const CrossMemory::Head& head, float scale, float* out, int64_t out_stride, float* weights,
                float* scores, float* result) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t keys = memory.rows(), padded = memory.padded_rows(), dk = memory.shape().dk,
                padded_dk = memory.padded_dk();
  for (int64_t first = 0; first < rows; first += kQueries) {
    const int64_t count = std::min(kQueries, rows - first);
    CrossProduct(count, q + first * q_stride, q_stride, dk, reinterpret_cast<const T*>(head.keys), padded, padded,
                 scores, padded);
    float inverse[kQueries];
    for (int64_t r = 0; r < count; ++r) {
      float* row = scores + r * padded;
      inverse[r] = CrossWeights(row, keys, padded, head.key_scales, scale);
      if (weights != nullptr) {
        for (int64_t t = 0; t < keys; ++t) weights[(first + r) * keys + t] = row[t] * inverse[r];
      }
      if (head.value_scales == nullptr) continue;
      for (int64_t i = 0; i < padded; i += lanes) {
        hn::StoreU(hn::Mul(hn::LoadU(d, row + i), hn::LoadU(d, head.value_scales + i)), d, row + i);
      }
    }
    CrossProduct(count, scores, padded, keys, reinterpret_cast<const T*>(head.values), padded_dk, padded_dk, result,
                 padded_dk);
    for (int64_t r = 0; r < count; ++r) {
      float* to = out + (first + r) * out_stride;
      for (int64_t c = 0; c < dk; ++c) to[c] = result[r * padded_dk + c] * inverse[r];
    }
  }
}

void CrossHead(const float* q, int64_t q_stride, int64_t rows, const CrossMemory& memory, const CrossMemory::Head& head,
               float scale, float* out, int64_t out_stride, float* weights, Workspace& workspace) {
  Workspace::Scope scope(workspace);
  float* scores = scope.Floats(kQueries * memory.padded_rows());
  float* result = scope.Floats(kQueries * memory.padded_dk());
  switch (memory.type()) {
    case ComputeType::kInt8:
      return AttendHead<int8_t>(q, q_stride, rows, memory, head, scale, out, out_stride, weights, scores, result);
    case ComputeType::kBf16:
      return AttendHead<uint16_t>(q, q_stride, rows, memory, head, scale, out, out_stride, weights, scores, result);
    default:
      return AttendHead<float>(q, q_stride, rows, memory, head, scale, out, out_stride, weights, scores, result);
  }
}

// Of dk values to int8, in a unit that the largest of them takes 127 of; the unit.
float QuantiseHead(const float* x, int64_t dk, int8_t* q) {
  const D d;
  const hn::Rebind<int8_t, D> d8;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d)), whole = dk / lanes * lanes;
  V largest_v = hn::Zero(d);
  for (int64_t c = 0; c < whole; c += lanes) largest_v = hn::Max(largest_v, hn::Abs(hn::LoadU(d, x + c)));
  float largest = hn::GetLane(hn::MaxOfLanes(d, largest_v));
  for (int64_t c = whole; c < dk; ++c) largest = std::max(largest, std::abs(x[c]));
  const float inverse = largest > 0 ? 127.0F / largest : 0.0F;
  for (int64_t c = 0; c < whole; c += lanes) {
    const auto level = hn::NearestInt(hn::Mul(hn::LoadU(d, x + c), hn::Set(d, inverse)));
    hn::StoreU(hn::DemoteTo(d8, level), d8, q + c);
  }
  for (int64_t c = whole; c < dk; ++c) q[c] = static_cast<int8_t>(std::lrint(x[c] * inverse));
  return largest / 127.0F;
}

// Sixteen rows of 16 bytes become sixteen columns.
HWY_INLINE void TransposeBytes(const int8_t* from, int64_t from_stride, int8_t* to, int64_t to_stride) {
#if HWY_TARGET == HWY_SCALAR
  for (int64_t i = 0; i < 16; ++i) {
    for (int64_t j = 0; j < 16; ++j) to[j * to_stride + i] = from[i * from_stride + j];
  }
#else
  const hn::FixedTag<int8_t, 16> d;
  hn::Vec<decltype(d)> a[16], b[16];
  for (int64_t i = 0; i < 16; ++i) a[i] = hn::LoadU(d, from + i * from_stride);
  // Each pass turns the eight bits of an element's place by one.
  for (int pass = 0; pass < 4; ++pass) {
    for (int i = 0; i < 8; ++i) {
      b[2 * i] = hn::InterleaveLower(d, a[i], a[i + 8]);
      b[2 * i + 1] = hn::InterleaveUpper(d, a[i], a[i + 8]);
    }
    std::copy(b, b + 16, a);
  }
  for (int64_t i = 0; i < 16; ++i) hn::StoreU(a[i], d, to + i * to_stride);
#endif
}

// Rows [first, first + count) of a head, from rows `stride` floats apart.
void QuantiseRowsOfHead(const float* keys, const float* values, int64_t stride, int64_t dk, int64_t first,
                        int64_t count, int64_t padded_rows, int64_t padded_dk, const CrossMemory::Head& head) {
  auto* const key_bytes = reinterpret_cast<int8_t*>(head.keys) + first;
  auto* const value_bytes = reinterpret_cast<int8_t*>(head.values) + first * padded_dk;
  constexpr int64_t kBlock = 16;
  std::vector<int8_t> rows(static_cast<size_t>(kBlock * dk));
  for (int64_t t = 0; t < count; ++t) {
    head.value_scales[first + t] = QuantiseHead(values + t * stride, dk, value_bytes + t * padded_dk);
  }
  const int64_t wide = dk / kBlock * kBlock;
  for (int64_t t = 0; t < count; t += kBlock) {
    const int64_t some = std::min(kBlock, count - t);
    for (int64_t i = 0; i < some; ++i) {
      head.key_scales[first + t + i] = QuantiseHead(keys + (t + i) * stride, dk, rows.data() + i * dk);
    }
    const int64_t by_block = some == kBlock ? wide : 0;
    for (int64_t c = 0; c < by_block; c += kBlock) {
      TransposeBytes(rows.data() + c, dk, key_bytes + c * padded_rows + t, padded_rows);
    }
    for (int64_t i = 0; i < some; ++i) {
      for (int64_t c = by_block; c < dk; ++c)
        key_bytes[c * padded_rows + t + i] = rows[static_cast<size_t>(i * dk + c)];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {
HWY_EXPORT(CrossHead);
HWY_EXPORT(QuantiseRowsOfHead);

namespace {

constexpr std::align_val_t kHeadAlignment{64};
// Widest vector, in elements; rows and widths are padded to it.
constexpr int64_t kPadding = 16;

int64_t Padded(int64_t n) { return (n + kPadding - 1) / kPadding * kPadding; }

bool InQuads(ComputeType type) { return type == ComputeType::kInt8 && HasInt8Attention(); }

int64_t KeyElements(int64_t rows, int64_t dk, ComputeType type) {
  return (InQuads(type) ? Padded(dk) : dk) * Padded(rows);
}

int64_t HeadBytes(int64_t rows, int64_t dk, ComputeType type) {
  const int64_t elements = KeyElements(rows, dk, type) + Padded(rows) * Padded(dk);
  const int64_t scales = type == ComputeType::kInt8 ? 2 * Padded(rows) * int64_t{sizeof(float)} : 0;
  return elements * ElementBytes(type) + scales;
}

template <typename T, typename To>
void PutHead(const float* x, int64_t dk, std::byte* to, int64_t stride, To convert) {
  T* typed = reinterpret_cast<T*>(to);
  for (int64_t c = 0; c < dk; ++c) typed[c * stride] = convert(x[c]);
}

uint16_t Bf16Of(float x) {
  uint16_t y;
  ToBf16(&x, 1, &y);
  return y;
}

}  // namespace

void CrossMemory::Free::operator()(std::byte* bytes) const { ::operator delete[](bytes, kHeadAlignment); }

int64_t CrossMemory::Bytes(int64_t layers, int64_t rows, AttentionShape shape, ComputeType type) {
  return layers * shape.heads * HeadBytes(rows, shape.dk, type);
}

CrossMemory::CrossMemory(int64_t layers, int64_t rows, AttentionShape shape, ComputeType type)
    : layers_(layers),
      rows_(rows),
      padded_rows_(Padded(rows)),
      padded_dk_(Padded(shape.dk)),
      shape_(shape),
      type_(type),
      bytes_(new(kHeadAlignment) std::byte[static_cast<size_t>(Bytes(layers, rows, shape, type))]()) {}

bool CrossMemory::in_quads() const { return InQuads(type_); }

CrossMemory::Head CrossMemory::head(int64_t layer, int64_t head) const {
  std::byte* at = bytes_.get() + (layer * shape_.heads + head) * HeadBytes(rows_, shape_.dk, type_);
  Head found = {.keys = at,
                .values = at + KeyElements(rows_, shape_.dk, type_) * ElementBytes(type_),
                .key_scales = nullptr,
                .value_scales = nullptr};
  if (type_ == ComputeType::kInt8) {
    found.key_scales = reinterpret_cast<float*>(found.values + padded_rows_ * padded_dk_);
    found.value_scales = found.key_scales + padded_rows_;
  }
  return found;
}

void CrossMemory::Put(int64_t layer, int64_t first, int64_t count, const float* keys, const float* values,
                      int64_t stride) {
  const int64_t dk = shape_.dk;
  for (int64_t h = 0; h < shape_.heads; ++h) {
    const Head to = head(layer, h);
    if (in_quads()) {
      PutQuads(*this, to, first, count, keys + h * dk, values + h * dk, stride);
      continue;
    }
    if (type_ == ComputeType::kInt8) {
      HWY_DYNAMIC_DISPATCH(QuantiseRowsOfHead)
      (keys + h * dk, values + h * dk, stride, dk, first, count, padded_rows_, padded_dk_, to);
      continue;
    }
    for (int64_t t = 0; t < count; ++t) {
      const int64_t row = first + t;
      const float* k = keys + t * stride + h * dk;
      const float* v = values + t * stride + h * dk;
      const int64_t size = ElementBytes(type_);
      std::byte* key = to.keys + row * size;
      std::byte* value = to.values + row * padded_dk_ * size;
      if (type_ == ComputeType::kBf16) {
        PutHead<uint16_t>(k, dk, key, padded_rows_, Bf16Of);
        PutHead<uint16_t>(v, dk, value, 1, Bf16Of);
      } else {
        PutHead<float>(k, dk, key, padded_rows_, [](float x) { return x; });
        std::copy_n(v, dk, reinterpret_cast<float*>(value));
      }
    }
  }
}

void CrossAttentionHead(const float* q, int64_t q_stride, int64_t rows, const CrossMemory& memory, int64_t layer,
                        int64_t head, float scale, float* out, int64_t out_stride, float* weights,
                        Workspace& workspace) {
  if (memory.rows() == 0) {
    for (int64_t r = 0; r < rows; ++r) std::fill_n(out + r * out_stride, memory.shape().dk, 0.0F);
    return;
  }
  const CrossMemory::Head found = memory.head(layer, head);
  if (memory.in_quads()) {
    return AttendQuads(q, q_stride, rows, memory, found, scale, out, out_stride, weights, workspace);
  }
  HWY_DYNAMIC_DISPATCH(CrossHead)
  (q, q_stride, rows, memory, found, scale, out, out_stride, weights, workspace);
}
}  // namespace tutti
#endif
