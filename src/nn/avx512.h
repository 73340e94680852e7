#pragma once

// What kernels of x86-64 CPUs with AVX-512 have in common. Include only where __x86_64__ is defined.

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "nn/intrinsics.h"

#define TUTTI_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

namespace tutti {

inline constexpr int64_t kAvx512Lanes = 16;

// Those of a vector's 16 lanes that are within `left` elements.
TUTTI_AVX512 inline __mmask16 LanesWithin(int64_t left) {
  return static_cast<__mmask16>((1U << std::clamp<int64_t>(left, 0, kAvx512Lanes)) - 1);
}

// The four bytes at `word` in each lane.
TUTTI_AVX512 inline __m512i BroadcastWord(const void* word) {
  int32_t value;
  std::memcpy(&value, word, sizeof(value));
  return _mm512_set1_epi32(value);
}

// To each lane's sum, its four products of unsigned by signed bytes. The instruction is one that few CPUs have: written
// as assembly it asks nothing of the compiler. By value: gcc would keep sums that assembly changes in place on the
// stack.
TUTTI_AVX512 inline __m512i AddQuadProducts(__m512i sum, __m512i of_unsigned, __m512i of_signed) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(of_unsigned), "v"(of_signed));
  return sum;
}

// exp(x) for x ≤ 0, to 7.5e-5 of itself: finer than weights in bf16 or in 16 bits are kept.
TUTTI_AVX512 inline __m512 CoarseExp(__m512 x) {
  const __m512 power = _mm512_mul_ps(x, _mm512_set1_ps(1.44269504F));
  const __m512 whole = _mm512_roundscale_ps(power, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 part = _mm512_sub_ps(power, whole);  // 2^part, part in [-½, ½]
  __m512 v = _mm512_fmadd_ps(_mm512_set1_ps(0.05517132F), part, _mm512_set1_ps(0.24261054F));
  v = _mm512_fmadd_ps(v, part, _mm512_set1_ps(0.69326099F));
  v = _mm512_fmadd_ps(v, part, _mm512_set1_ps(0.99992811F));
  return _mm512_scalef_ps(v, whole);
}

}  // namespace tutti
