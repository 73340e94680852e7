#pragma once

// AMX's tiles for products of 8-bit and bf16 numbers. Written as assembly, so that one file can hold kernels for CPUs
// with and without them. Include only where __x86_64__ is defined.
//
// A tile has up to 16 rows of 64 bytes. Registers: 0 … 3 hold the sums of two tiles of rows (the left factor) by two of
// columns: 0 and 1 those of the first rows, 2 and 3 those of the second. 4 and 5 hold rows, 6 and 7 columns. A kernel
// begins with Configure, which clears them, and ends with Release; nothing else keeps anything in them.

#include <cstddef>
#include <cstdint>

namespace tutti::amx {

inline constexpr int64_t kRows = 16;
inline constexpr int64_t kRowBytes = 64;

// Asks the system to let this process use tiles, which every thread then has to save. False where it refuses. Children
// inherit the answer. Any thread, any number of times.
bool Allowed();

// All tiles of rows and sums get `rows` rows.
inline void Configure(int64_t rows) {
  struct alignas(64) {
    uint8_t palette = 1;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
  } config;
  for (int i = 0; i < 8; ++i) {
    config.row_bytes[i] = kRowBytes;
    config.rows[i] = static_cast<uint8_t>(i < 6 ? rows : kRows);
  }
  asm volatile("ldtilecfg %0" ::"m"(config));
}
inline void Release() { asm volatile("tilerelease"); }

inline void ZeroSums() { asm volatile("tilezero %tmm0\n tilezero %tmm1\n tilezero %tmm2\n tilezero %tmm3"); }

// Rows stand `stride` bytes apart.
inline void LoadRows0(const void* from, int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm4" ::"r"(from), "r"(stride) : "memory");
}
inline void LoadRows1(const void* from, int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm5" ::"r"(from), "r"(stride) : "memory");
}
// Two tiles side by side.
inline void LoadColumns(const void* from, int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm6\n tileloadd 64(%0,%1,1), %%tmm7" ::"r"(from), "r"(stride) : "memory");
}

// sums += rows · columns, of bf16 pairs, and of u8 rows with s8 columns. 0: by the first rows only.
inline void AddBf16Products0() { asm volatile("tdpbf16ps %tmm6, %tmm4, %tmm0\n tdpbf16ps %tmm7, %tmm4, %tmm1"); }
inline void AddBf16Products() {
  asm volatile(
      "tdpbf16ps %tmm6, %tmm4, %tmm0\n tdpbf16ps %tmm7, %tmm4, %tmm1\n"
      "tdpbf16ps %tmm6, %tmm5, %tmm2\n tdpbf16ps %tmm7, %tmm5, %tmm3");
}
inline void AddInt8Products0() { asm volatile("tdpbusd %tmm6, %tmm4, %tmm0\n tdpbusd %tmm7, %tmm4, %tmm1"); }
inline void AddInt8Products() {
  asm volatile(
      "tdpbusd %tmm6, %tmm4, %tmm0\n tdpbusd %tmm7, %tmm4, %tmm1\n"
      "tdpbusd %tmm6, %tmm5, %tmm2\n tdpbusd %tmm7, %tmm5, %tmm3");
}

inline void StoreSums0(void* to, int64_t stride) {
  asm volatile("tilestored %%tmm0, (%0,%1,1)\n tilestored %%tmm1, 64(%0,%1,1)" ::"r"(to), "r"(stride) : "memory");
}
inline void StoreSums1(void* to, int64_t stride) {
  asm volatile("tilestored %%tmm2, (%0,%1,1)\n tilestored %%tmm3, 64(%0,%1,1)" ::"r"(to), "r"(stride) : "memory");
}

}  // namespace tutti::amx
