#include "models/sanm_layer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "nn/ops.h"

namespace tutti {

absl::StatusOr<SanmLayer> SanmLayer::Load(const WeightSource& source, std::string_view name,
                                          const SanmLayerShape& shape, float norm_eps) {
  const auto in_layer = [name](std::string_view part) { return fmt::format("{}.{}", name, part); };
  const int64_t width = shape.width;
  const ComputeType type = shape.compute_type;
  SanmLayer layer;
  layer.shape_ = shape;
  TUTTI_ASSIGN_OR_RETURN(layer.norm1_, Norm::Load(source, in_layer("norm1"), shape.in, norm_eps));
  TUTTI_ASSIGN_OR_RETURN(layer.qkv_,
                         LoadLinear(source, in_layer("self_attn.linear_q_k_v"), {3 * width, shape.in}, {.type = type}));
  TUTTI_ASSIGN_OR_RETURN(layer.fsmn_,
                         Fsmn::Load(source, in_layer("self_attn.fsmn_block"), {width, shape.taps, shape.left}));
  TUTTI_ASSIGN_OR_RETURN(layer.out_, LoadLinear(source, in_layer("self_attn.linear_out"), {width, width},
                                                {.accumulate = true, .type = type}));
  TUTTI_ASSIGN_OR_RETURN(layer.norm2_, Norm::Load(source, in_layer("norm2"), width, norm_eps));
  TUTTI_ASSIGN_OR_RETURN(
      layer.up_, LoadLinear(source, in_layer("feed_forward.w_1"), {shape.hidden, width}, {.relu = true, .type = type}));
  TUTTI_ASSIGN_OR_RETURN(layer.down_, LoadLinear(source, in_layer("feed_forward.w_2"), {width, shape.hidden},
                                                 {.accumulate = true, .type = type}));
  return layer;
}

void SanmLayer::Run(const float* x, std::span<const int64_t> offsets, float* y, Workspace& workspace) const {
  const int64_t rows = offsets.back(), width = shape_.width;
  Workspace::Scope scope(workspace);
  float* normed = scope.Floats(std::min(rows, kRowBlock) * std::max(shape_.in, width));
  float* hidden = scope.Floats(std::min(rows, kRowBlock) * shape_.hidden);
  float* qkv = scope.Floats(rows * 3 * width);
  float* heads = scope.Floats(rows * width);

  ForRowBlocks(rows, [&](int64_t first, int64_t count) {
    norm1_.Run(x + first * shape_.in, count, normed);
    qkv_.Run(normed, count, qkv + first * 3 * width, workspace);
  });
  const float *q = qkv, *k = qkv + width, *v = qkv + 2 * width;

  const bool residual = shape_.in == width;
  if (residual && x != y) std::copy(x, x + rows * width, y);
  fsmn_.Run(v, 3 * width, offsets, residual, y);
  const int64_t dk = width / shape_.heads;
  Attention(q, 3 * width, offsets, k, v, 3 * width, offsets,
            {shape_.heads, dk, shape_.compute_type != ComputeType::kF32}, 1.0F / std::sqrt(static_cast<float>(dk)),
            heads, workspace);

  ForRowBlocks(rows, [&](int64_t first, int64_t count) {
    float* block = y + first * width;
    out_.Run(heads + first * width, count, block, workspace);
    norm2_.Run(block, count, normed);
    up_.Run(normed, count, hidden, workspace);
    down_.Run(hidden, count, block, workspace);
  });
}

}  // namespace tutti
