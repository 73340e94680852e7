#include "audio/resampler.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "audio/resampler.cc"
#include <hwy/foreach_target.h>
// After foreach_target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// out[i] = kernel(phase + i) · x[first_taps + base], where `base` moves by in_step each time the phases wrap around.
// `x` is the input at absolute index `first`. Every output is summed alone and in the same order wherever it lies.
void Convolve(const float* kernels, const int64_t* first_taps, int64_t phases, int64_t taps, int64_t in_step,
              const float* x, int64_t first, int64_t index, int64_t count, float* out) {
  const hn::CappedTag<float, 16> d;  // taps is a multiple of 16
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t phase = index % phases;
  int64_t base = index / phases * in_step - first;
  for (int64_t i = 0; i < count; ++i) {
    const float* in = x + base + first_taps[phase];
    const float* kernel = kernels + phase * taps;
    auto sum = hn::Zero(d);
    for (int64_t k = 0; k < taps; k += lanes) {
      sum = hn::MulAdd(hn::LoadU(d, in + k), hn::LoadU(d, kernel + k), sum);
    }
    out[i] = hn::GetLane(hn::SumOfLanes(d, sum));
    if (++phase == phases) {
      phase = 0;
      base += in_step;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {
namespace {

HWY_EXPORT(Convolve);

constexpr int kTargetRate = 16000;
constexpr int kMinRate = 1000, kMaxRate = 768'000;
constexpr int64_t kLongestVector = 16;
constexpr double kZeroCrossings = 6, kRolloff = 0.99;  // torchaudio's lowpass_filter_width and rolloff

}  // namespace

absl::StatusOr<std::shared_ptr<const ResampleFilter>> ResampleFilter::Create(int source_rate) {
  if (source_rate < kMinRate || source_rate > kMaxRate) {
    return InvalidArgument("sample rate is {} Hz, expected {} … {} Hz", source_rate, kMinRate, kMaxRate);
  }
  std::shared_ptr<ResampleFilter> filter(new ResampleFilter);
  filter->source_rate_ = source_rate;
  if (source_rate == kTargetRate) return filter;

  const int common = std::gcd(source_rate, kTargetRate);
  filter->in_step_ = source_rate / common;
  filter->phases_ = kTargetRate / common;
  const auto o = static_cast<double>(filter->in_step_), n = static_cast<double>(filter->phases_);
  const double base = std::min(o, n) * kRolloff;
  const double reach = kZeroCrossings * o / base;  // in inputs, to either side
  const auto nonzero = static_cast<int64_t>(2 * reach) + 1;
  filter->taps_ = (nonzero + kLongestVector - 1) / kLongestVector * kLongestVector;
  filter->kernels_.resize(static_cast<size_t>(filter->phases_ * filter->taps_));
  float* kernel = filter->kernels_.data();
  for (int64_t p = 0; p < filter->phases_; ++p) {
    const double centre = o * static_cast<double>(p) / n;
    const auto first = static_cast<int64_t>(std::ceil(centre - reach));
    filter->first_taps_.push_back(first);
    for (int64_t k = 0; k < filter->taps_; ++k) {
      const double t = std::clamp((-static_cast<double>(p) / n + static_cast<double>(first + k) / o) * base,
                                  -kZeroCrossings, kZeroCrossings);
      const double cosine = std::cos(t * std::numbers::pi / kZeroCrossings / 2);
      const double sinc = t == 0 ? 1 : std::sin(t * std::numbers::pi) / (t * std::numbers::pi);
      *kernel++ = static_cast<float>(sinc * cosine * cosine * base / o);
    }
  }
  return filter;
}

Resampler::Resampler(std::shared_ptr<const ResampleFilter> filter) : filter_(std::move(filter)) {
  if (filter_->source_rate_ == kTargetRate) return;
  first_ = FirstTap(0);
  carry_.resize(static_cast<size_t>(-first_));  // the zeros before the audio
}

int64_t Resampler::FirstTap(int64_t index) const {
  return index / filter_->phases_ * filter_->in_step_ +
         filter_->first_taps_[static_cast<size_t>(index % filter_->phases_)];
}

int64_t Resampler::OutputsBefore(int64_t end) const {
  const std::vector<int64_t>& first_taps = filter_->first_taps_;  // never falls
  const int64_t last_start = end - filter_->taps_;
  const int64_t groups = last_start < first_taps.back() ? 0 : (last_start - first_taps.back()) / filter_->in_step_ + 1;
  const auto more = std::upper_bound(first_taps.begin(), first_taps.end(), last_start - groups * filter_->in_step_);
  return groups * filter_->phases_ + (more - first_taps.begin());
}

void Resampler::Accept(std::span<const float> samples, bool is_final, std::vector<float>& out) {
  if (filter_->source_rate_ == kTargetRate) {
    out.insert(out.end(), samples.begin(), samples.end());
    return;
  }
  carry_.insert(carry_.end(), samples.begin(), samples.end());
  consumed_ += static_cast<int64_t>(samples.size());
  const int64_t step = filter_->in_step_, phases = filter_->phases_, taps = filter_->taps_;
  // An output waits for all its taps, the padding included: then no sum depends on where the pieces end.
  const int64_t end = is_final ? (consumed_ * phases + step - 1) / step : OutputsBefore(consumed_);
  if (end > produced_) {
    if (is_final) carry_.resize(static_cast<size_t>(FirstTap(end - 1) + taps - first_));
    const size_t old_size = out.size();
    out.resize(old_size + static_cast<size_t>(end - produced_));
    HWY_DYNAMIC_DISPATCH(Convolve)
    (filter_->kernels_.data(), filter_->first_taps_.data(), phases, taps, step, carry_.data(), first_, produced_,
     end - produced_, out.data() + old_size);
    produced_ = end;
  }
  const int64_t keep_from = std::min(FirstTap(produced_), first_ + static_cast<int64_t>(carry_.size()));
  carry_.erase(carry_.begin(), carry_.begin() + (keep_from - first_));
  first_ = keep_from;
}

}  // namespace tutti
#endif  // HWY_ONCE
