#include "nn/quantise.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nn/quantise.cc"
#include <hwy/foreach_target.h>
// After foreach_target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using DI = hn::RebindToSigned<DF>;
using DU = hn::RebindToUnsigned<DF>;
using D8 = hn::Rebind<uint8_t, DF>;
using D16 = hn::Rebind<uint16_t, DF>;

// The range of a row, widened to hold 0.
void Range(const float* x, int64_t width, float& low, float& high) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto low0 = hn::Zero(d), low1 = hn::Zero(d), high0 = hn::Zero(d), high1 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * lanes <= width; i += 2 * lanes) {
    const auto a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + i + lanes);
    low0 = hn::Min(low0, a);
    low1 = hn::Min(low1, b);
    high0 = hn::Max(high0, a);
    high1 = hn::Max(high1, b);
  }
  low = hn::GetLane(hn::MinOfLanes(d, hn::Min(low0, low1)));
  high = hn::GetLane(hn::MaxOfLanes(d, hn::Max(high0, high1)));
  for (; i < width; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
}

// kBytes: the levels are all that a byte has, so that a number too large ends at the last of them by itself.
template <bool kBytes>
void QuantiseRow(const float* x, int64_t width, int32_t levels, uint8_t* q, RowScale* row) {
  const DF d;
  const DI di;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  float low = 0, high = 0;
  Range(x, width, low, high);
  const float range = high - low;
  float inverse = static_cast<float>(levels) / range;
  // A row of zeros, of numbers too small to divide by, or of none: all 0, and a scale that is 0 or not a number.
  if (!(range > 0) || !std::isfinite(inverse) || !std::isfinite(range)) inverse = 0;
  row->scale = range / static_cast<float>(levels);
  row->zero = static_cast<int32_t>(std::nearbyint(-low * inverse));
  if (inverse == 0) row->zero = 0;
  const auto inverse_v = hn::Set(d, inverse);
  const auto zero = static_cast<float>(row->zero);
  const auto zero_v = hn::Set(d, zero);
  const auto levels_v = hn::Set(di, levels);
  int64_t i = 0;
  for (; i + lanes <= width; i += lanes) {
    auto level = hn::NearestInt(hn::MulAdd(hn::LoadU(d, x + i), inverse_v, zero_v));
    if constexpr (!kBytes) level = hn::Min(level, levels_v);
    hn::StoreU(hn::DemoteTo(D8(), level), D8(), q + i);  // which takes care of the lower end
  }
  for (; i < width; ++i) {
    const float level = std::nearbyint(std::fma(x[i], inverse, zero));
    q[i] = static_cast<uint8_t>(level > 0 ? std::min(level, static_cast<float>(levels)) : 0.0F);
  }
}

void QuantiseEachRow(const float* x, int64_t rows, int64_t width, int32_t levels, uint8_t* q, RowScale* scales) {
  const auto quantise = levels == 255 ? &QuantiseRow<true> : &QuantiseRow<false>;
  for (int64_t r = 0; r < rows; ++r) quantise(x + r * width, width, levels, q + r * width, scales + r);
}

// kRows rows at a time, so that what belongs to the columns is read once for all of them.
template <int64_t kRows, Combine kCombine>
void DequantiseTile(const int32_t* sums, int64_t width, const RowScale* row_scales, const ColumnScales& columns,
                    float* y) {
  const DF d;
  const DI di;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + lanes <= width; c += lanes) {
    const auto column_scale = hn::LoadU(d, columns.scales.data() + c);
    const auto column_sum = hn::LoadU(d, columns.sums.data() + c);
    const auto bias = columns.bias != nullptr ? hn::LoadU(d, columns.bias + c) : hn::Zero(d);
    for (int64_t r = 0; r < kRows; ++r) {
      const auto sum = hn::ConvertTo(d, hn::LoadU(di, sums + r * width + c));
      const auto shifted = hn::NegMulAdd(hn::Set(d, static_cast<float>(row_scales[r].zero)), column_sum, sum);
      auto v = hn::MulAdd(hn::Mul(shifted, column_scale), hn::Set(d, row_scales[r].scale), bias);
      float* out = y + r * width + c;
      if constexpr (kCombine == Combine::kRelu) v = hn::Max(v, hn::Zero(d));
      if constexpr (kCombine == Combine::kAccumulate) v = hn::Add(v, hn::LoadU(d, out));
      hn::StoreU(v, d, out);
    }
  }
  for (; c < width; ++c) {
    for (int64_t r = 0; r < kRows; ++r) {
      const auto at = static_cast<size_t>(c);
      const float bias = columns.bias != nullptr ? columns.bias[at] : 0;
      const float shifted =
          std::fma(-static_cast<float>(row_scales[r].zero), columns.sums[at], static_cast<float>(sums[r * width + c]));
      float v = std::fma(shifted * columns.scales[at], row_scales[r].scale, bias);
      float* out = y + r * width + c;
      if constexpr (kCombine == Combine::kRelu) v = std::max(v, 0.0F);
      *out = kCombine == Combine::kAccumulate ? *out + v : v;
    }
  }
}

template <Combine kCombine>
void DequantiseAll(const int32_t* sums, int64_t rows, const RowScale* row_scales, const ColumnScales& columns,
                   float* y) {
  constexpr int64_t kTile = 4;
  const auto width = static_cast<int64_t>(columns.scales.size());
  int64_t r = 0;
  for (; r + kTile <= rows; r += kTile) {
    DequantiseTile<kTile, kCombine>(sums + r * width, width, row_scales + r, columns, y + r * width);
  }
  for (; r < rows; ++r) DequantiseTile<1, kCombine>(sums + r * width, width, row_scales + r, columns, y + r * width);
}

void DequantiseEachRow(const int32_t* sums, int64_t rows, const RowScale* row_scales, const ColumnScales& columns,
                       Combine combine, float* y) {
  switch (combine) {
    case Combine::kStore:
      return DequantiseAll<Combine::kStore>(sums, rows, row_scales, columns, y);
    case Combine::kRelu:
      return DequantiseAll<Combine::kRelu>(sums, rows, row_scales, columns, y);
    case Combine::kAccumulate:
      return DequantiseAll<Combine::kAccumulate>(sums, rows, row_scales, columns, y);
  }
}

uint16_t RoundToBf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  if (std::isnan(x)) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

void ToBf16N(const float* x, int64_t n, uint16_t* y) {
  const DF d;
  const DU du;
  const DI di;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    const auto bits = hn::BitCast(du, v);
    const auto high = hn::ShiftRight<16>(bits);
    const auto rounding = hn::Add(hn::Set(du, 0x7FFF), hn::And(high, hn::Set(du, 1)));
    const auto rounded = hn::ShiftRight<16>(hn::Add(bits, rounding));
    const auto quiet = hn::Or(high, hn::Set(du, 0x40));
    const auto half = hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(v)), quiet, rounded);
    hn::StoreU(hn::DemoteTo(D16(), hn::BitCast(di, half)), D16(), y + i);
  }
  for (; i < n; ++i) y[i] = RoundToBf16(x[i]);
}

void FromBf16N(const uint16_t* x, int64_t n, float* y) {
  const DF d;
  const DU du;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto half = hn::PromoteTo(du, hn::LoadU(D16(), x + i));
    hn::StoreU(hn::BitCast(d, hn::ShiftLeft<16>(half)), d, y + i);
  }
  for (; i < n; ++i) {
    const uint32_t bits = uint32_t{x[i]} << 16;
    std::memcpy(y + i, &bits, sizeof(bits));
  }
}

void QuantiseWeightRows(const float* w, int64_t out, int64_t in, int8_t* q, float* scales) {
  const DF d;
  const hn::Rebind<int8_t, DF> d8;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t o = 0; o < out; ++o, w += in, q += in) {
    auto high = hn::Zero(d);
    int64_t i = 0;
    for (; i + lanes <= in; i += lanes) {
      const auto size = hn::Abs(hn::LoadU(d, w + i));
      high = hn::IfThenElse(hn::Lt(high, size), size, high);  // what is no number is passed over
    }
    float largest = hn::GetLane(hn::MaxOfLanes(d, high));
    for (; i < in; ++i) largest = std::max(largest, std::abs(w[i]));
    const float inverse = 127 / largest;
    const bool usable = largest > 0 && std::isfinite(inverse) && std::isfinite(largest);
    scales[o] = largest / 127;
    if (!usable) {
      std::fill_n(q, in, int8_t{0});
      continue;
    }
    const auto factor = hn::Set(d, inverse), most = hn::Set(d, 127.0F), least = hn::Set(d, -127.0F);
    for (i = 0; i + lanes <= in; i += lanes) {
      const auto level = hn::Mul(hn::LoadU(d, w + i), factor);
      const auto number = hn::IfThenElseZero(hn::Eq(level, level), level);
      const auto whole = hn::NearestInt(hn::Clamp(number, least, most));
      hn::StoreU(hn::DemoteTo(d8, whole), d8, q + i);
    }
    for (; i < in; ++i) {
      const float level = std::nearbyint(w[i] * inverse);
      q[i] = static_cast<int8_t>(std::isnan(level) ? 0 : std::clamp(level, -127.0F, 127.0F));
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {
HWY_EXPORT(QuantiseEachRow);
HWY_EXPORT(DequantiseEachRow);
HWY_EXPORT(ToBf16N);
HWY_EXPORT(FromBf16N);
HWY_EXPORT(QuantiseWeightRows);

void QuantiseWeights(const float* w, int64_t out, int64_t in, int8_t* q, float* scales) {
  HWY_DYNAMIC_DISPATCH(QuantiseWeightRows)(w, out, in, q, scales);
}

void DequantiseWeights(const int8_t* q, const float* scales, int64_t out, int64_t in, float* w) {
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t i = 0; i < in; ++i) w[o * in + i] = scales[o] * static_cast<float>(q[o * in + i]);
  }
}

void QuantiseRows(const float* x, int64_t rows, int64_t width, int32_t levels, uint8_t* q, RowScale* scales) {
  HWY_DYNAMIC_DISPATCH(QuantiseEachRow)(x, rows, width, levels, q, scales);
}
void DequantiseRows(const int32_t* sums, int64_t rows, const RowScale* row_scales, const ColumnScales& columns,
                    Combine combine, float* y) {
  HWY_DYNAMIC_DISPATCH(DequantiseEachRow)(sums, rows, row_scales, columns, combine, y);
}
void ToBf16(const float* x, int64_t n, uint16_t* y) { HWY_DYNAMIC_DISPATCH(ToBf16N)(x, n, y); }
void FromBf16(const uint16_t* x, int64_t n, float* y) { HWY_DYNAMIC_DISPATCH(FromBf16N)(x, n, y); }
}  // namespace tutti
#endif
