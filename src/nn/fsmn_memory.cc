#include <algorithm>

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

// One segment. Taps run in ascending order for every output, whatever part of the window lies inside.
void FsmnSegment(const float* x, int64_t x_stride, int64_t rows, FsmnShape shape, const float* weight, bool accumulate,
                 float* y, int64_t y_stride) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t t = 0; t < rows; ++t) {
    const int64_t first = std::max<int64_t>(0, shape.left - t);
    const int64_t last = std::min<int64_t>(shape.taps, rows - t + shape.left);  // one past
    const float* centre = x + t * x_stride;
    const float* window = centre + (first - shape.left) * x_stride;
    const float* taps = weight + first * shape.width;
    float* out = y + t * y_stride;
    int64_t c = 0;
    for (; c + 2 * lanes <= shape.width; c += 2 * lanes) {  // two chains hide the latency of the additions
      auto sum0 = hn::LoadU(d, centre + c), sum1 = hn::LoadU(d, centre + c + lanes);
      const float* in = window + c;
      const float* w = taps + c;
      for (int64_t j = first; j < last; ++j, in += x_stride, w += shape.width) {
        sum0 = hn::MulAdd(hn::LoadU(d, w), hn::LoadU(d, in), sum0);
        sum1 = hn::MulAdd(hn::LoadU(d, w + lanes), hn::LoadU(d, in + lanes), sum1);
      }
      if (accumulate) {
        sum0 = hn::Add(sum0, hn::LoadU(d, out + c));
        sum1 = hn::Add(sum1, hn::LoadU(d, out + c + lanes));
      }
      hn::StoreU(sum0, d, out + c);
      hn::StoreU(sum1, d, out + c + lanes);
    }
    for (; c < shape.width; ++c) {
      float sum = centre[c];
      for (int64_t j = first; j < last; ++j) {
        sum += taps[(j - first) * shape.width + c] * window[(j - first) * x_stride + c];
      }
      out[c] = accumulate ? out[c] + sum : sum;
    }
  }
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
