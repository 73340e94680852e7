// Operators on single rows: layer norm, softmax, sums.
#include <cmath>
#include <limits>

#include "nn/ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nn/row_ops.cc"
#include <hwy/foreach_target.h>
// After foreach_target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;

// Sum of f(x[i]), in an order that depends on the width alone.
template <typename VectorFn, typename ScalarFn>
float SumOver(const float* x, int64_t width, VectorFn vector_fn, ScalarFn scalar_fn) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sum0 = hn::Zero(d), sum1 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * lanes <= width; i += 2 * lanes) {
    sum0 = hn::Add(sum0, vector_fn(hn::LoadU(d, x + i)));
    sum1 = hn::Add(sum1, vector_fn(hn::LoadU(d, x + i + lanes)));
  }
  if (i + lanes <= width) {
    sum0 = hn::Add(sum0, vector_fn(hn::LoadU(d, x + i)));
    i += lanes;
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)));
  for (; i < width; ++i) sum += scalar_fn(x[i]);
  return sum;
}

void LayerNormRows(const float* x, int64_t rows, int64_t width, const float* gamma, const float* beta, float eps,
                   float* y) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const float inverse_width = 1.0F / static_cast<float>(width);
  for (int64_t row = 0; row < rows; ++row, x += width, y += width) {
    const float mean = inverse_width * SumOver(
                                           x, width, [](auto v) { return v; }, [](float v) { return v; });
    const auto mean_v = hn::Set(d, mean);
    const float variance = inverse_width * SumOver(
                                               x, width,
                                               [mean_v](auto v) {
                                                 const auto centred = hn::Sub(v, mean_v);
                                                 return hn::Mul(centred, centred);
                                               },
                                               [mean](float v) { return (v - mean) * (v - mean); });
    const float scale = 1.0F / std::sqrt(variance + eps);
    const auto scale_v = hn::Set(d, scale);
    int64_t i = 0;
    for (; i + lanes <= width; i += lanes) {
      const auto normal = hn::Mul(hn::Sub(hn::LoadU(d, x + i), mean_v), scale_v);
      hn::StoreU(hn::MulAdd(normal, hn::LoadU(d, gamma + i), hn::LoadU(d, beta + i)), d, y + i);
    }
    for (; i < width; ++i) y[i] = (x[i] - mean) * scale * gamma[i] + beta[i];
  }
}

float MaxOf(const float* x, int64_t width) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto max_v = hn::Set(d, std::numeric_limits<float>::lowest());
  int64_t i = 0;
  for (; i + lanes <= width; i += lanes) max_v = hn::Max(max_v, hn::LoadU(d, x + i));
  float max = hn::GetLane(hn::MaxOfLanes(d, max_v));
  for (; i < width; ++i) max = x[i] > max ? x[i] : max;
  return max;
}

void LogSoftmaxRows(float* x, int64_t rows, int64_t width) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t row = 0; row < rows; ++row, x += width) {
    const float max = MaxOf(x, width);
    const auto max_v = hn::Set(d, max);
    const float sum = SumOver(
        x, width, [d, max_v](auto v) { return hn::Exp(d, hn::Sub(v, max_v)); },
        [max](float v) { return std::exp(v - max); });
    const float shift = max + std::log(sum);
    const auto shift_v = hn::Set(d, shift);
    int64_t i = 0;
    for (; i + lanes <= width; i += lanes) hn::StoreU(hn::Sub(hn::LoadU(d, x + i), shift_v), d, x + i);
    for (; i < width; ++i) x[i] -= shift;
  }
}

void SoftmaxRows(float* x, int64_t rows, int64_t width) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t row = 0; row < rows; ++row, x += width) {
    const float max = MaxOf(x, width);
    const auto max_v = hn::Set(d, max);
    int64_t i = 0;
    for (; i + lanes <= width; i += lanes) hn::StoreU(hn::Exp(d, hn::Sub(hn::LoadU(d, x + i), max_v)), d, x + i);
    for (; i < width; ++i) x[i] = std::exp(x[i] - max);
    const float inverse = 1.0F / SumOver(
                                     x, width, [](auto v) { return v; }, [](float v) { return v; });
    const auto inverse_v = hn::Set(d, inverse);
    for (i = 0; i + lanes <= width; i += lanes) hn::StoreU(hn::Mul(hn::LoadU(d, x + i), inverse_v), d, x + i);
    for (; i < width; ++i) x[i] *= inverse;
  }
}

ArgMaxResult ArgMaxRow(const float* x, int64_t width) {
  const float max = MaxOf(x, width);
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto max_v = hn::Set(d, max);
  int64_t i = 0;
  for (; i + lanes <= width; i += lanes) {
    const intptr_t found = hn::FindFirstTrue(d, hn::Eq(hn::LoadU(d, x + i), max_v));
    if (found >= 0) return {i + found, max};
  }
  for (; i < width; ++i) {
    if (x[i] == max) return {i, max};
  }
  return {0, max};
}

void ReluN(float* x, int64_t n) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::Max(hn::LoadU(d, x + i), hn::Zero(d)), d, x + i);
  for (; i < n; ++i) x[i] = x[i] > 0 ? x[i] : 0;
}

void AddN(const float* x, int64_t n, float* y) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::Add(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, y + i);
  for (; i < n; ++i) y[i] += x[i];
}

void AxpyN(float a, const float* x, int64_t n, float* y) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto a_v = hn::Set(d, a);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::MulAdd(a_v, hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, y + i);
  for (; i < n; ++i) y[i] += a * x[i];
}

int64_t Target() { return HWY_TARGET; }

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {
HWY_EXPORT(LayerNormRows);
HWY_EXPORT(LogSoftmaxRows);
HWY_EXPORT(SoftmaxRows);
HWY_EXPORT(ArgMaxRow);
HWY_EXPORT(ReluN);
HWY_EXPORT(AddN);
HWY_EXPORT(AxpyN);
HWY_EXPORT(Target);

void LayerNorm(const float* x, int64_t rows, int64_t width, const float* gamma, const float* beta, float eps,
               float* y) {
  HWY_DYNAMIC_DISPATCH(LayerNormRows)(x, rows, width, gamma, beta, eps, y);
}
void LogSoftmax(float* x, int64_t rows, int64_t width) { HWY_DYNAMIC_DISPATCH(LogSoftmaxRows)(x, rows, width); }
void Softmax(float* x, int64_t rows, int64_t width) { HWY_DYNAMIC_DISPATCH(SoftmaxRows)(x, rows, width); }
ArgMaxResult ArgMax(const float* x, int64_t width) { return HWY_DYNAMIC_DISPATCH(ArgMaxRow)(x, width); }
void Relu(float* x, int64_t n) { HWY_DYNAMIC_DISPATCH(ReluN)(x, n); }
void Add(const float* x, int64_t n, float* y) { HWY_DYNAMIC_DISPATCH(AddN)(x, n, y); }
void Axpy(float a, const float* x, int64_t n, float* y) { HWY_DYNAMIC_DISPATCH(AxpyN)(a, x, n, y); }
const char* VectorIsa() { return hwy::TargetName(HWY_DYNAMIC_DISPATCH(Target)()); }
}  // namespace tutti
#endif
