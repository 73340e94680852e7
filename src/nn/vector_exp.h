#pragma once

// For kernels of x86-64 CPUs with AVX-512. Include only where __x86_64__ is defined.

#include "nn/intrinsics.h"

namespace tutti {

// exp(x) for x ≤ 0, to 7.5e-5 of itself: finer than weights in bf16 or in 16 bits are kept.
__attribute__((target("avx512f,avx512dq"))) inline __m512 CoarseExp(__m512 x) {
  const __m512 power = _mm512_mul_ps(x, _mm512_set1_ps(1.44269504F));
  const __m512 whole = _mm512_roundscale_ps(power, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 part = _mm512_sub_ps(power, whole);  // 2^part, part in [-½, ½]
  __m512 v = _mm512_fmadd_ps(_mm512_set1_ps(0.05517132F), part, _mm512_set1_ps(0.24261054F));
  v = _mm512_fmadd_ps(v, part, _mm512_set1_ps(0.69326099F));
  v = _mm512_fmadd_ps(v, part, _mm512_set1_ps(0.99992811F));
  return _mm512_scalef_ps(v, whole);
}

}  // namespace tutti
