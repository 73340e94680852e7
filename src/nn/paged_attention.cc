#include "nn/paged_attention.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nn/paged_attention.cc"
#include <hwy/foreach_target.h>
// After foreach_target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kPage = KvPool::kPageTokens;
using D = hn::CappedTag<float, static_cast<size_t>(kPage)>;

// scores[0 … kPage) = Σ_c q[c] · keys[c][…], in four chains.
void PageScores(const float* q, int64_t dk, const float* keys, float* scores) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t t = 0; t < kPage; t += lanes) {
    auto sum0 = hn::Zero(d), sum1 = hn::Zero(d), sum2 = hn::Zero(d), sum3 = hn::Zero(d);
    const float* key = keys + t;
    int64_t c = 0;
    for (; c + 4 <= dk; c += 4, key += 4 * kPage) {
      sum0 = hn::MulAdd(hn::Set(d, q[c]), hn::LoadU(d, key), sum0);
      sum1 = hn::MulAdd(hn::Set(d, q[c + 1]), hn::LoadU(d, key + kPage), sum1);
      sum2 = hn::MulAdd(hn::Set(d, q[c + 2]), hn::LoadU(d, key + 2 * kPage), sum2);
      sum3 = hn::MulAdd(hn::Set(d, q[c + 3]), hn::LoadU(d, key + 3 * kPage), sum3);
    }
    for (; c < dk; ++c, key += kPage) sum0 = hn::MulAdd(hn::Set(d, q[c]), hn::LoadU(d, key), sum0);
    hn::StoreU(hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3)), d, scores + t);
  }
}

// scores [keys] become exp(scale · (s - max)), zeros up to the end of their page. Returns 1 / their sum.
float PageWeights(float* scores, int64_t keys, float scale) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = (keys + kPage - 1) / kPage * kPage;
  std::fill(scores + keys, scores + padded, std::numeric_limits<float>::lowest());
  auto max_v = hn::LoadU(d, scores);
  for (int64_t i = lanes; i < padded; i += lanes) max_v = hn::Max(max_v, hn::LoadU(d, scores + i));
  const auto max = hn::MaxOfLanes(d, max_v);
  auto sum = hn::Zero(d);
  for (int64_t i = 0; i < padded; i += lanes) {
    // The padding's difference overflows to -inf on its way through the scale; Exp takes that to 0.
    const auto weight = hn::Exp(d, hn::Mul(hn::Sub(hn::LoadU(d, scores + i), max), hn::Set(d, scale)));
    hn::StoreU(weight, d, scores + i);
    sum = hn::Add(sum, weight);
  }
  return 1.0F / hn::GetLane(hn::SumOfLanes(d, sum));
}

void AttendPages(const float* q, const KvSequence& sequence, int64_t layer, int64_t keys, AttentionShape shape,
                 float scale, float* scores, float* out) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t width = shape.heads * shape.dk, pages = (keys + kPage - 1) / kPage;
  for (int64_t head = 0; head < shape.heads; ++head) {
    const int64_t first = head * shape.dk, end = first + shape.dk;
    for (int64_t page = 0; page < pages; ++page) {
      PageScores(q + first, shape.dk, sequence.keys(layer, page) + first * kPage, scores + page * kPage);
    }
    const float inverse = PageWeights(scores, keys, scale);
    int64_t c = first;
    for (; c + lanes <= end; c += lanes) {
      auto sum0 = hn::Zero(d), sum1 = hn::Zero(d);
      for (int64_t page = 0; page < pages; ++page) {
        const float* value = sequence.keys(layer, page) + kPage * width + c;
        const float* weight = scores + page * kPage;
        const int64_t tokens = std::min(kPage, keys - page * kPage);
        for (int64_t t = 0; t + 1 < tokens; t += 2, value += 2 * width) {
          sum0 = hn::MulAdd(hn::Set(d, weight[t]), hn::LoadU(d, value), sum0);
          sum1 = hn::MulAdd(hn::Set(d, weight[t + 1]), hn::LoadU(d, value + width), sum1);
        }
        if (tokens % 2 != 0) sum0 = hn::MulAdd(hn::Set(d, weight[tokens - 1]), hn::LoadU(d, value), sum0);
      }
      hn::StoreU(hn::Mul(hn::Add(sum0, sum1), hn::Set(d, inverse)), d, out + c);
    }
    for (; c < end; ++c) {
      float sum = 0;
      for (int64_t t = 0; t < keys; ++t) {
        sum += scores[t] * sequence.keys(layer, t / kPage)[(kPage + t % kPage) * width + c];
      }
      out[c] = sum * inverse;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {
HWY_EXPORT(AttendPages);

void PagedAttention(const float* q, const KvSequence& sequence, int64_t layer, int64_t keys, AttentionShape shape,
                    float scale, float* out, Workspace& workspace) {
  Workspace::Scope scope(workspace);
  const int64_t pages = (keys + KvPool::kPageTokens - 1) / KvPool::kPageTokens;
  float* scores = scope.Floats(pages * KvPool::kPageTokens);
  HWY_DYNAMIC_DISPATCH(AttendPages)(q, sequence, layer, keys, shape, scale, scores, out);
}
}  // namespace tutti
#endif
