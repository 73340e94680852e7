#include "frontend/fbank_kernel.h"

#include <algorithm>
#include <array>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "frontend/fbank_kernel.cc"
#include <hwy/foreach_target.h>
// After foreach_target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Eight frames at a time: the spectra of more would not stay in a 32 KB cache.
constexpr size_t kMaxLanes = 8;
using D = hn::CappedTag<float, kMaxLanes>;
using V = hn::Vec<D>;
constexpr int kHalf = FbankTables::kHalf;

// What is not finite counts as 0; what is far outside [-1, 1] is limited so that no energy overflows.
HWY_INLINE V Clean(D d, V x) {
  constexpr float kLimit = 1e6F;
  const V finite = hn::IfThenElseZero(hn::IsFinite(x), x);
  return hn::Min(hn::Max(finite, hn::Set(d, -kLimit)), hn::Set(d, kLimit));
}

// Scratch of one group of frames; [i][lane] throughout.
struct Scratch {
  HWY_ALIGN float samples[FbankTables::kPoints * kMaxLanes];
  HWY_ALIGN float re[kHalf * kMaxLanes];
  HWY_ALIGN float im[kHalf * kMaxLanes];
  HWY_ALIGN float power[kHalf * kMaxLanes];
};

// Samples of one frame per lane, cleaned and scaled, without their mean, pre-emphasised, windowed, as complex numbers
// in digit-reversed order, padded with zeros.
HWY_INLINE void LoadFrames(const FbankTables& tables, const float* samples, const int32_t* offsets, Scratch& s) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const hn::RebindToSigned<D> di;
  const auto index = hn::LoadU(di, offsets);
  const V scale = hn::Set(d, tables.scale);
  V sums[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  const auto length = static_cast<size_t>(tables.frame_length);
  for (size_t i = 0; i < length; ++i) {
    const V x = hn::Mul(Clean(d, hn::GatherIndex(d, samples + i, index)), scale);
    sums[i % 4] = hn::Add(sums[i % 4], x);
    hn::Store(x, d, s.samples + i * lanes);
  }
  const V sum = hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]));
  const V mean = hn::Mul(sum, hn::Set(d, 1.0F / static_cast<float>(length)));
  const V emphasis = hn::Set(d, 0.97F);
  V before = hn::Sub(hn::Load(d, s.samples), mean);
  for (size_t i = 0; i < FbankTables::kPoints; ++i) {
    V y = hn::Zero(d);
    if (i < length) {
      const V x = hn::Sub(hn::Load(d, s.samples + i * lanes), mean);
      y = hn::Mul(hn::NegMulAdd(emphasis, before, x), hn::Set(d, tables.window[i]));
      before = x;
    }
    const auto place = static_cast<size_t>(tables.reversed[i / 2]) * lanes;
    hn::Store(y, d, (i % 2 == 0 ? s.re : s.im) + place);
  }
}

// Complex 256-point transform in place, decimation in time: four passes of radix 4.
HWY_INLINE void Transform(const FbankTables& tables, Scratch& s) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  for (size_t length = 1; length < kHalf; length *= 4) {
    const size_t stride = kHalf / (4 * length);  // of the roots
    const size_t step = length * lanes;
    for (size_t j = 0; j < length; ++j) {
      V w_re[3], w_im[3];
      for (size_t r = 0; r < 3; ++r) {
        w_re[r] = hn::Set(d, tables.half_cos[(r + 1) * j * stride]);
        w_im[r] = hn::Set(d, tables.half_sin[(r + 1) * j * stride]);
      }
      for (size_t group = j; group < kHalf; group += 4 * length) {
        float* re = s.re + group * lanes;
        float* im = s.im + group * lanes;
        V x_re[3], x_im[3];
        for (size_t r = 0; r < 3; ++r) {
          const V a = hn::Load(d, re + (r + 1) * step), b = hn::Load(d, im + (r + 1) * step);
          x_re[r] = hn::NegMulAdd(b, w_im[r], hn::Mul(a, w_re[r]));
          x_im[r] = hn::MulAdd(b, w_re[r], hn::Mul(a, w_im[r]));
        }
        const V a_re = hn::Load(d, re), a_im = hn::Load(d, im);
        const V even_re = hn::Add(a_re, x_re[1]), even_im = hn::Add(a_im, x_im[1]);
        const V less_re = hn::Sub(a_re, x_re[1]), less_im = hn::Sub(a_im, x_im[1]);
        const V odd_re = hn::Add(x_re[0], x_re[2]), odd_im = hn::Add(x_im[0], x_im[2]);
        const V turn_re = hn::Sub(x_re[0], x_re[2]), turn_im = hn::Sub(x_im[0], x_im[2]);
        hn::Store(hn::Add(even_re, odd_re), d, re);
        hn::Store(hn::Add(even_im, odd_im), d, im);
        hn::Store(hn::Add(less_re, turn_im), d, re + step);
        hn::Store(hn::Sub(less_im, turn_re), d, im + step);
        hn::Store(hn::Sub(even_re, odd_re), d, re + 2 * step);
        hn::Store(hn::Sub(even_im, odd_im), d, im + 2 * step);
        hn::Store(hn::Sub(less_re, turn_im), d, re + 3 * step);
        hn::Store(hn::Add(less_im, turn_re), d, im + 3 * step);
      }
    }
  }
}

// |X|² of the real transform, bins 0 … 255, from the complex transform Z of half the length:
// X[k] = E + w·O and X[256 - k] = conj(E - w·O), where E and O are the transforms of the even and the odd samples.
HWY_INLINE void Power(const FbankTables& tables, Scratch& s) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const V dc = hn::Add(hn::Load(d, s.re), hn::Load(d, s.im));
  hn::Store(hn::Mul(dc, dc), d, s.power);
  const V half = hn::Set(d, 0.5F);
  for (size_t k = 1; k <= kHalf / 2; ++k) {
    const size_t low = k * lanes, high = (kHalf - k) * lanes;
    const V a_re = hn::Load(d, s.re + low), a_im = hn::Load(d, s.im + low);
    const V b_re = hn::Load(d, s.re + high), b_im = hn::Load(d, s.im + high);
    const V e_re = hn::Mul(half, hn::Add(a_re, b_re)), e_im = hn::Mul(half, hn::Sub(a_im, b_im));
    const V o_re = hn::Mul(half, hn::Add(a_im, b_im)), o_im = hn::Mul(half, hn::Sub(b_re, a_re));
    const V w_re = hn::Set(d, tables.whole_cos[k]), w_im = hn::Set(d, tables.whole_sin[k]);
    const V t_re = hn::NegMulAdd(o_im, w_im, hn::Mul(o_re, w_re));
    const V t_im = hn::MulAdd(o_im, w_re, hn::Mul(o_re, w_im));
    const V x_re = hn::Add(e_re, t_re), x_im = hn::Add(e_im, t_im);
    const V y_re = hn::Sub(e_re, t_re), y_im = hn::Sub(e_im, t_im);
    hn::Store(hn::MulAdd(x_im, x_im, hn::Mul(x_re, x_re)), d, s.power + low);
    hn::Store(hn::MulAdd(y_im, y_im, hn::Mul(y_re, y_re)), d, s.power + high);
  }
}

// Energies of the filters, floored, as logarithms; [mel][lane] to `out`.
HWY_INLINE void LogMel(const FbankTables& tables, const Scratch& s, int mel, float* HWY_RESTRICT out) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const auto m = static_cast<size_t>(mel);
  const float* power = s.power + static_cast<size_t>(tables.first_bin[m]) * lanes;
  V sum = hn::Zero(d);
  for (int w = tables.first_weight[m]; w < tables.first_weight[m + 1]; ++w, power += lanes) {
    sum = hn::MulAdd(hn::Set(d, tables.weights[static_cast<size_t>(w)]), hn::Load(d, power), sum);
  }
  hn::Store(hn::Log(d, hn::Max(sum, hn::Set(d, 1.1920929e-07F))), d, out);
}

void LogMelEnergiesImpl(const FbankTables& tables, const float* samples, int64_t frames, float* out) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(D()));
  Scratch scratch;
  HWY_ALIGN float mel[kMaxLanes];
  for (int64_t frame = 0; frame < frames; frame += lanes) {
    const int64_t used = std::min(lanes, frames - frame);
    std::array<int32_t, kMaxLanes> offsets;
    for (int64_t lane = 0; lane < lanes; ++lane) {  // lanes without a frame repeat the last one
      offsets[static_cast<size_t>(lane)] = static_cast<int32_t>(std::min(lane, used - 1)) * tables.frame_shift;
    }
    LoadFrames(tables, samples + frame * tables.frame_shift, offsets.data(), scratch);
    Transform(tables, scratch);
    Power(tables, scratch);
    for (int m = 0; m < tables.mels; ++m) {
      LogMel(tables, scratch, m, mel);
      for (int64_t lane = 0; lane < used; ++lane) out[(frame + lane) * tables.mels + m] = mel[lane];
    }
  }
}

void FrameDecibelsImpl(const float* samples, int64_t frames, int frame_length, int frame_shift, float* out) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t frame = 0; frame < frames; ++frame) {
    const float* x = samples + frame * frame_shift;
    V sum = hn::Zero(d);
    int64_t i = 0;
    for (; i + lanes <= frame_length; i += lanes) {
      const V value = Clean(d, hn::LoadU(d, x + i));
      sum = hn::MulAdd(value, value, sum);
    }
    if (i < frame_length) {
      HWY_ALIGN float rest[kMaxLanes] = {};
      std::copy(x + i, x + frame_length, rest);
      const V value = Clean(d, hn::Load(d, rest));
      sum = hn::MulAdd(value, value, sum);
    }
    const double energy = hn::GetLane(hn::SumOfLanes(d, sum));
    out[frame] = static_cast<float>(10.0 * std::log10(energy + 1e-6));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {
HWY_EXPORT(LogMelEnergiesImpl);
HWY_EXPORT(FrameDecibelsImpl);

void LogMelEnergies(const FbankTables& tables, const float* samples, int64_t frames, float* out) {
  HWY_DYNAMIC_DISPATCH(LogMelEnergiesImpl)(tables, samples, frames, out);
}

void FrameDecibels(const float* samples, int64_t frames, int frame_length, int frame_shift, float* out) {
  HWY_DYNAMIC_DISPATCH(FrameDecibelsImpl)(samples, frames, frame_length, frame_shift, out);
}
}  // namespace tutti
#endif
