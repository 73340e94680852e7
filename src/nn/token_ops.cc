#include "nn/token_ops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nn/token_ops.cc"
#include <hwy/foreach_target.h>
// After foreach_target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;

void TopKRow(const float* x, int64_t width, int64_t count, ArgMaxResult* best) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t held = 0;
  // Later elements come behind earlier ones of the same value.
  const auto offer = [&](int64_t index) {
    const float value = x[index];
    if (held == count && !(value > best[count - 1].value)) return;
    int64_t place = held < count ? held++ : count - 1;
    for (; place > 0 && value > best[place - 1].value; --place) best[place] = best[place - 1];
    best[place] = {index, value};
  };
  int64_t i = 0;
  for (; i < count; ++i) offer(i);
  for (; i + lanes <= width; i += lanes) {
    if (hn::AllFalse(d, hn::Gt(hn::LoadU(d, x + i), hn::Set(d, best[count - 1].value)))) continue;
    for (int64_t lane = 0; lane < lanes; ++lane) offer(i + lane);
  }
  for (; i < width; ++i) offer(i);
}

float LogSumExpRow(const float* x, int64_t width) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t whole = width / lanes * lanes;
  auto max_v = hn::Set(d, std::numeric_limits<float>::lowest());
  for (int64_t i = 0; i < whole; i += lanes) max_v = hn::Max(max_v, hn::LoadU(d, x + i));
  float max = hn::GetLane(hn::MaxOfLanes(d, max_v));
  for (int64_t i = whole; i < width; ++i) max = std::max(max, x[i]);
  max_v = hn::Set(d, max);
  auto sum_v = hn::Zero(d);
  for (int64_t i = 0; i < whole; i += lanes) {
    sum_v = hn::Add(sum_v, hn::Exp(d, hn::Sub(hn::LoadU(d, x + i), max_v)));
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, sum_v));
  for (int64_t i = whole; i < width; ++i) sum += std::exp(x[i] - max);
  return max + std::log(sum);
}

// erf as x·p(x²) / q(x²) within ±3.75, where it is ±1 to the last bits of a float beyond.
template <typename V>
HWY_INLINE V Erf(D d, V x) {
  constexpr std::array kAlpha = {-2.72614225801306e-10F, 2.77068142495902e-08F,  -2.10102402082508e-06F,
                                 -5.69250639462346e-05F, -7.34990630326855e-04F, -2.95459980854025e-03F,
                                 -1.60960333262415e-02F};
  constexpr std::array kBeta = {-1.45660718464996e-05F, -2.13374055278905e-04F, -1.68282697438203e-03F,
                                -7.37332916720468e-03F, -1.42647390514189e-02F};
  const V limit = hn::Set(d, 3.7439211627F);
  x = hn::Min(hn::Max(x, hn::Neg(limit)), limit);
  const V square = hn::Mul(x, x);
  V p = hn::Set(d, kAlpha[0]), q = hn::Set(d, kBeta[0]);
  for (size_t i = 1; i < kAlpha.size(); ++i) p = hn::MulAdd(p, square, hn::Set(d, kAlpha[i]));
  for (size_t i = 1; i < kBeta.size(); ++i) q = hn::MulAdd(q, square, hn::Set(d, kBeta[i]));
  return hn::Div(hn::Mul(x, p), q);
}

template <typename V>
HWY_INLINE V GeluOf(D d, V x) {
  const V half = hn::Mul(hn::Set(d, 0.5F), x);
  return hn::MulAdd(half, Erf(d, hn::Mul(hn::Set(d, 0.70710678F), x)), half);
}

void GeluN(float* x, int64_t n) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(GeluOf(d, hn::LoadU(d, x + i)), d, x + i);
  if (i == n) return;
  HWY_ALIGN float rest[HWY_MAX_BYTES / sizeof(float)] = {};
  std::copy(x + i, x + n, rest);
  hn::Store(GeluOf(d, hn::Load(d, rest)), d, rest);
  std::copy(rest, rest + (n - i), x + i);
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {
HWY_EXPORT(TopKRow);
HWY_EXPORT(LogSumExpRow);
HWY_EXPORT(GeluN);

void TopK(const float* x, int64_t width, int64_t count, ArgMaxResult* best) {
  HWY_DYNAMIC_DISPATCH(TopKRow)(x, width, count, best);
}
float LogSumExp(const float* x, int64_t width) { return HWY_DYNAMIC_DISPATCH(LogSumExpRow)(x, width); }
void Gelu(float* x, int64_t n) { HWY_DYNAMIC_DISPATCH(GeluN)(x, n); }
}  // namespace tutti
#endif
