#pragma once

#include <cstdint>

#include "nn/kv_pool.h"
#include "nn/ops.h"
#include "nn/workspace.h"

namespace tutti {

// Multi-head attention of one query to the first `keys` tokens of its own hypothesis in `layer`:
//   out[h·dk …] = softmax(scale · q·kᵀ) · v,  q and out [heads · dk]; out may be q.
// 0 < keys <= sequence.tokens(). f32; the result depends on those tokens alone. Reentrant.
void PagedAttention(const float* q, const KvSequence& sequence, int64_t layer, int64_t keys, AttentionShape shape,
                    float scale, float* out, Workspace& workspace);

}  // namespace tutti
