#pragma once

#include <cstdint>

#include "nn/ops.h"

// What decoders that choose one token after another need beside nn/ops.h, with the same promises.
namespace tutti {

// x = ½·x·(1 + erf(x / √2)) over n floats, to 1e-6 of max(1, |x|).
void Gelu(float* x, int64_t n);

// log(Σ exp(x[i])); elements far below the largest count as nothing, be they the lowest float.
float LogSumExp(const float* x, int64_t width);

// The `count` largest elements of a row, the largest first and the lowest index first on ties. 0 < count <= width.
void TopK(const float* x, int64_t width, int64_t count, ArgMaxResult* best);

}  // namespace tutti
