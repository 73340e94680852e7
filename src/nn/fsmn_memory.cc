#include <algorithm>
#include <cmath>

#include "nn/ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nn/fsmn_memory.cc"
#include <hwy/foreach_target.h>
// After foreach_target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Rows [first_row, last_row) of one segment. Taps run in ascending order for every output, whatever part of the window
// lies inside and whichever of the two functions computes it.
void FsmnRows(const float* x, int64_t x_stride, int64_t rows, int64_t first_row, int64_t last_row, FsmnShape shape,
              const float* weight, bool accumulate, float* y, int64_t y_stride) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t t = first_row; t < last_row; ++t) {
    const int64_t first = std::max<int64_t>(0, shape.left - t);
    const int64_t last = std::min<int64_t>(shape.taps, rows - t + shape.left);  // one past
    const float* centre = x + t * x_stride;
    const float* window = centre + (first - shape.left) * x_stride;
    const float* taps = weight + first * shape.width;
    float* out = y + t * y_stride;
    int64_t c = 0;
    for (; c + lanes <= shape.width; c += lanes) {
      auto sum = hn::LoadU(d, centre + c);
      const float* in = window + c;
      const float* w = taps + c;
      for (int64_t j = first; j < last; ++j, in += x_stride, w += shape.width) {
        sum = hn::MulAdd(hn::LoadU(d, w), hn::LoadU(d, in), sum);
      }
      if (accumulate) sum = hn::Add(sum, hn::LoadU(d, out + c));
      hn::StoreU(sum, d, out + c);
    }
    for (; c < shape.width; ++c) {
      float sum = centre[c];
      for (int64_t j = first; j < last; ++j) {
        sum = std::fma(taps[(j - first) * shape.width + c], window[(j - first) * x_stride + c], sum);
      }
      out[c] = accumulate ? out[c] + sum : sum;
    }
  }
}

// Rows whose whole window lies inside the segment, kTaps wide: one vector of columns at a time goes down the rows, its
// taps in registers, kRows outputs together, so that each input is loaded for several.
template <int64_t kTaps>
void FsmnInside(const float* x, int64_t x_stride, int64_t first_row, int64_t last_row, FsmnShape shape,
                const float* weight, bool accumulate, float* y, int64_t y_stride, int64_t c) {
  constexpr int64_t kRows = 4;
  const hn::ScalableTag<float> d;
  using V = decltype(hn::Zero(d));
  V taps[kTaps];
  for (int64_t j = 0; j < kTaps; ++j) taps[j] = hn::LoadU(d, weight + j * shape.width + c);
  for (int64_t t = first_row; t < last_row; t += kRows) {
    const float* in = x + (t - shape.left) * x_stride + c;
    V sum[kRows];
    for (int64_t r = 0; r < kRows; ++r) sum[r] = hn::LoadU(d, in + (r + shape.left) * x_stride);
    HWY_UNROLL(16)
    for (int64_t i = 0; i < kTaps + kRows - 1; ++i) {
      const auto v = hn::LoadU(d, in + i * x_stride);
      for (int64_t r = 0; r < kRows; ++r) {
        if (i - r >= 0 && i - r < kTaps) sum[r] = hn::MulAdd(taps[i - r], v, sum[r]);
      }
    }
    for (int64_t r = 0; r < kRows; ++r) {
      float* out = y + (t + r) * y_stride + c;
      hn::StoreU(accumulate ? hn::Add(sum[r], hn::LoadU(d, out)) : sum[r], d, out);
    }
  }
}

void FsmnSegment(const float* x, int64_t x_stride, int64_t rows, FsmnShape shape, const float* weight, bool accumulate,
                 float* y, int64_t y_stride) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  const int64_t right = shape.taps - 1 - shape.left;
  int64_t first = std::min(shape.left, rows), last = first;
  // The kernels that the models have; any other is right, not fast.
  if (shape.width % lanes == 0 && (shape.taps == 11 || shape.taps == 20)) {
    last += std::max<int64_t>(0, rows - right - first) / 4 * 4;
    for (int64_t c = 0; c < shape.width; c += lanes) {
      if (shape.taps == 11) FsmnInside<11>(x, x_stride, first, last, shape, weight, accumulate, y, y_stride, c);
      if (shape.taps == 20) FsmnInside<20>(x, x_stride, first, last, shape, weight, accumulate, y, y_stride, c);
    }
  }
  FsmnRows(x, x_stride, rows, 0, first, shape, weight, accumulate, y, y_stride);
  FsmnRows(x, x_stride, rows, last, rows, shape, weight, accumulate, y, y_stride);
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {
HWY_EXPORT(FsmnSegment);

void FsmnMemory(const float* x, int64_t x_stride, std::span<const int64_t> offsets, FsmnShape shape,
                const float* weight, bool accumulate, float* y, int64_t y_stride) {
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    HWY_DYNAMIC_DISPATCH(FsmnSegment)
    (x + offsets[i] * x_stride, x_stride, offsets[i + 1] - offsets[i], shape, weight, accumulate,
     y + offsets[i] * y_stride, y_stride);
  }
}
}  // namespace tutti
#endif
