#pragma once

// x86-64's vector intrinsics, for kernels that Highway 1.0 has no names for. Include only where __x86_64__ is defined.

// gcc 12 takes the undefined operand of its own intrinsics for a mistake (its bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
