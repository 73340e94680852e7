#include "frontend/log_mel_kernel.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numbers>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "frontend/log_mel_kernel.cc"
#include <hwy/foreach_target.h>
// After foreach_target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Eight frames at a time: the spectra of more would not stay in a 32 KB cache.
constexpr size_t kMostLanes = 8;
using D = hn::CappedTag<float, kMostLanes>;
using V = hn::Vec<D>;
constexpr int kHalfPoints = LogMelTables::kHalf;

// Scratch of one group of frames; [i][lane] throughout.
struct Spectra {
  HWY_ALIGN float re[kHalfPoints * kMostLanes];
  HWY_ALIGN float im[kHalfPoints * kMostLanes];
  HWY_ALIGN float power[(kHalfPoints + 1) * kMostLanes];
};

struct Complex {
  V re, im;
};
HWY_INLINE Complex operator+(Complex a, Complex b) { return {hn::Add(a.re, b.re), hn::Add(a.im, b.im)}; }
HWY_INLINE Complex operator-(Complex a, Complex b) { return {hn::Sub(a.re, b.re), hn::Sub(a.im, b.im)}; }
HWY_INLINE Complex Times(Complex a, V re, V im) {
  return {hn::NegMulAdd(a.im, im, hn::Mul(a.re, re)), hn::MulAdd(a.im, re, hn::Mul(a.re, im))};
}
// -i · a
HWY_INLINE Complex Turn(Complex a) { return {a.im, hn::Neg(a.re)}; }

// Transforms of 2, 4 and 5 points, in place.
HWY_INLINE void Butterfly(D, Complex (&x)[2]) {
  const Complex sum = x[0] + x[1];
  x[1] = x[0] - x[1];
  x[0] = sum;
}

HWY_INLINE void Butterfly(D, Complex (&x)[4]) {
  const Complex even = x[0] + x[2], less = x[0] - x[2], odd = x[1] + x[3], turned = Turn(x[1] - x[3]);
  x[0] = even + odd;
  x[1] = less + turned;
  x[2] = even - odd;
  x[3] = less - turned;
}

HWY_INLINE void Butterfly(D d, Complex (&x)[5]) {
  const V c1 = hn::Set(d, 0.309016994F), c2 = hn::Set(d, -0.809016994F);  // cos 2π/5, cos 4π/5
  const V s1 = hn::Set(d, 0.951056516F), s2 = hn::Set(d, 0.587785252F);   // sin 2π/5, sin 4π/5
  const Complex a = x[1] + x[4], b = x[2] + x[3], p = Turn(x[1] - x[4]), q = Turn(x[2] - x[3]);
  const auto along = [&](V by_a, V by_b) -> Complex {
    return {hn::MulAdd(by_b, b.re, hn::MulAdd(by_a, a.re, x[0].re)),
            hn::MulAdd(by_b, b.im, hn::MulAdd(by_a, a.im, x[0].im))};
  };
  const Complex u = along(c1, c2), v = along(c2, c1);
  const Complex s = {hn::MulAdd(s2, q.re, hn::Mul(s1, p.re)), hn::MulAdd(s2, q.im, hn::Mul(s1, p.im))};
  const Complex t = {hn::NegMulAdd(s1, q.re, hn::Mul(s2, p.re)), hn::NegMulAdd(s1, q.im, hn::Mul(s2, p.im))};
  x[0] = x[0] + (a + b);
  x[1] = u + s;
  x[2] = v + t;
  x[3] = v - t;
  x[4] = u - s;
}

// Combines kRadix transforms of `length` points into one, for the whole of the data; decimation in time.
template <int kRadix>
HWY_INLINE void Pass(const LogMelTables& tables, int length, Spectra& s) {
  const D d;
  const auto lanes = static_cast<int>(hn::Lanes(d));
  const int stride = kHalfPoints / (kRadix * length);  // of the roots
  for (int j = 0; j < length; ++j) {
    const auto root = static_cast<size_t>(j) * static_cast<size_t>(stride);
    V w_re[kRadix], w_im[kRadix];
    for (int r = 1; r < kRadix; ++r) {
      w_re[r] = hn::Set(d, tables.half_cos[static_cast<size_t>(r) * root]);
      w_im[r] = hn::Set(d, tables.half_sin[static_cast<size_t>(r) * root]);
    }
    for (int group = j; group < kHalfPoints; group += kRadix * length) {
      float* re = s.re + group * lanes;
      float* im = s.im + group * lanes;
      const int step = length * lanes;
      Complex x[kRadix];
      x[0] = {hn::Load(d, re), hn::Load(d, im)};
      for (int r = 1; r < kRadix; ++r) {
        x[r] = Times({hn::Load(d, re + r * step), hn::Load(d, im + r * step)}, w_re[r], w_im[r]);
      }
      Butterfly(d, x);
      for (int r = 0; r < kRadix; ++r) {
        hn::Store(x[r].re, d, re + r * step);
        hn::Store(x[r].im, d, im + r * step);
      }
    }
  }
}

// Samples of one frame per lane, windowed, as complex numbers in the order that the passes want.
HWY_INLINE void LoadWindowed(const LogMelTables& tables, const float* samples, const int32_t* offsets, Spectra& s) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const hn::RebindToSigned<D> di;
  const auto index = hn::LoadU(di, offsets);
  for (size_t i = 0; i < LogMelTables::kPoints; ++i) {
    const V x = hn::Mul(hn::GatherIndex(d, samples + i, index), hn::Set(d, tables.window[i]));
    hn::Store(x, d, (i % 2 == 0 ? s.re : s.im) + static_cast<size_t>(tables.reversed[i / 2]) * lanes);
  }
}

// |X|² of the real transform, bins 0 … 200, from the complex transform Z of half the length:
// X[k] = E + w·O and X[200 - k] = conj(E - w·O), where E and O are the transforms of the even and the odd samples.
HWY_INLINE void PowerSpectrum(const LogMelTables& tables, Spectra& s) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const V re0 = hn::Load(d, s.re), im0 = hn::Load(d, s.im);
  const V dc = hn::Add(re0, im0), nyquist = hn::Sub(re0, im0);
  hn::Store(hn::Mul(dc, dc), d, s.power);
  hn::Store(hn::Mul(nyquist, nyquist), d, s.power + static_cast<size_t>(kHalfPoints) * lanes);
  const V half = hn::Set(d, 0.5F);
  for (size_t k = 1; k <= kHalfPoints / 2; ++k) {
    const size_t low = k * lanes, high = (kHalfPoints - k) * lanes;
    const Complex a = {hn::Load(d, s.re + low), hn::Load(d, s.im + low)};
    const Complex b = {hn::Load(d, s.re + high), hn::Neg(hn::Load(d, s.im + high))};
    const Complex sum = a + b, difference = Turn(a - b);
    const Complex even = {hn::Mul(half, sum.re), hn::Mul(half, sum.im)};
    const Complex odd = Times({hn::Mul(half, difference.re), hn::Mul(half, difference.im)},
                              hn::Set(d, tables.whole_cos[k]), hn::Set(d, tables.whole_sin[k]));
    const Complex x = even + odd, y = even - odd;
    hn::Store(hn::MulAdd(x.im, x.im, hn::Mul(x.re, x.re)), d, s.power + low);
    hn::Store(hn::MulAdd(y.im, y.im, hn::Mul(y.re, y.re)), d, s.power + high);
  }
}

float Log10MelEnergiesImpl(const LogMelTables& tables, const float* samples, int64_t frames, float* out) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  Spectra s;
  HWY_ALIGN float mel[kMostLanes];
  const V floor = hn::Set(d, 1e-10F), to_log10 = hn::Set(d, static_cast<float>(std::numbers::log10e));
  V max = hn::Set(d, std::numeric_limits<float>::lowest());
  for (int64_t frame = 0; frame < frames; frame += lanes) {
    const int64_t used = std::min(lanes, frames - frame);
    std::array<int32_t, kMostLanes> offsets;
    for (int64_t lane = 0; lane < lanes; ++lane) {  // lanes without a frame repeat the last one
      offsets[static_cast<size_t>(lane)] = static_cast<int32_t>(std::min(lane, used - 1)) * LogMelTables::kHop;
    }
    LoadWindowed(tables, samples + frame * LogMelTables::kHop, offsets.data(), s);
    static_assert(LogMelTables::kRadices == std::array{5, 5, 4, 2});
    Pass<5>(tables, 1, s);
    Pass<5>(tables, 5, s);
    Pass<4>(tables, 25, s);
    Pass<2>(tables, 100, s);
    PowerSpectrum(tables, s);
    for (int64_t m = 0; m < tables.mels; ++m) {
      const auto i = static_cast<size_t>(m);
      const float* power = s.power + tables.first_bin[i] * lanes;
      V sum = hn::Zero(d);
      for (int w = tables.first_weight[i]; w < tables.first_weight[i + 1]; ++w, power += lanes) {
        sum = hn::MulAdd(hn::Set(d, tables.weights[static_cast<size_t>(w)]), hn::Load(d, power), sum);
      }
      const V logarithm = hn::Mul(hn::Log(d, hn::Max(sum, floor)), to_log10);
      max = hn::Max(max, logarithm);
      hn::Store(logarithm, d, mel);
      for (int64_t lane = 0; lane < used; ++lane) out[(frame + lane) * tables.mels + m] = mel[lane];
    }
  }
  return hn::GetLane(hn::MaxOfLanes(d, max));
}

void ScaleLogMelImpl(float floor, int64_t n, float* x) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto clamped = hn::Max(hn::LoadU(d, x + i), hn::Set(d, floor));
    hn::StoreU(hn::Mul(hn::Add(clamped, hn::Set(d, 4.0F)), hn::Set(d, 0.25F)), d, x + i);
  }
  for (; i < n; ++i) x[i] = (std::max(x[i], floor) + 4.0F) * 0.25F;
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {
HWY_EXPORT(Log10MelEnergiesImpl);
HWY_EXPORT(ScaleLogMelImpl);

float Log10MelEnergies(const LogMelTables& tables, const float* samples, int64_t frames, float* out) {
  return HWY_DYNAMIC_DISPATCH(Log10MelEnergiesImpl)(tables, samples, frames, out);
}
void ScaleLogMel(float floor, int64_t n, float* x) { HWY_DYNAMIC_DISPATCH(ScaleLogMelImpl)(floor, n, x); }
}  // namespace tutti
#endif
