#include "models/sanm_layer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/segment_groups.h"
#include "nn/ops.h"

namespace tutti {
namespace {

// Rows that go through the layer together, whole segments: few enough that their queries, keys and values are still in
// a near cache when attention wants them.
constexpr int64_t kGroupRows = 256;

}  // namespace

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
  if (shape_.in == shape_.width && x != y) std::copy(x, x + offsets.back() * shape_.in, y);
  RunGroups([&](int64_t first, int64_t count, float* normed) { norm1_.Run(x + first * shape_.in, count, normed); },
            offsets, y, workspace);
}

void SanmLayer::RunFrom(const Input& x, std::span<const int64_t> offsets, float* y, Workspace& workspace) const {
  if (shape_.in == shape_.width) {  // the residual wants all of x
    x(0, offsets.back(), y);
    return Run(y, offsets, y, workspace);
  }
  const auto input = [&](int64_t first, int64_t count, float* normed) {
    x(first, count, normed);
    norm1_.Run(normed, count, normed);
  };
  RunGroups(input, offsets, y, workspace);
}

void SanmLayer::RunGroups(const NormedInput& input, std::span<const int64_t> offsets, float* y,
                          Workspace& workspace) const {
  SegmentGroups groups(offsets, kGroupRows);
  while (groups.Next()) {
    RunGroup(input, groups.first_row(), groups.offsets(), y + groups.first_row() * shape_.width, workspace);
  }
}

void SanmLayer::RunGroup(const NormedInput& input, int64_t first_row, std::span<const int64_t> offsets, float* y,
                         Workspace& workspace) const {
  const int64_t rows = offsets.back(), width = shape_.width;
  const int64_t hidden_stride = Linear::RowStride(shape_.compute_type, shape_.hidden);
  const int64_t qkv_stride = Linear::RowStride(shape_.compute_type, 3 * width);
  Workspace::Scope scope(workspace);
  float* qkv = scope.Floats(rows * qkv_stride);

  ForRowBlocks(rows, workspace, [&](int64_t first, int64_t count, Workspace& scratch) {
    Workspace::Scope block_scope(scratch);
    float* normed = block_scope.Floats(count * shape_.in);
    input(first_row + first, count, normed);
    qkv_.Run(normed, shape_.in, count, qkv + first * qkv_stride, qkv_stride, scratch);
  });
  const float *q = qkv, *k = qkv + width, *v = qkv + 2 * width;

  fsmn_.Run(v, qkv_stride, offsets, shape_.in == width, y);
  const int64_t dk = width / shape_.heads;
  float* heads = qkv;  // in the place of the queries
  Attention(q, qkv_stride, offsets, k, v, qkv_stride, offsets,
            {shape_.heads, dk, shape_.compute_type != ComputeType::kF32}, 1.0F / std::sqrt(static_cast<float>(dk)),
            heads, qkv_stride, workspace);

  ForRowBlocks(rows, workspace, [&](int64_t first, int64_t count, Workspace& scratch) {
    Workspace::Scope block_scope(scratch);
    float* normed = block_scope.Floats(count * width);
    float* hidden = block_scope.Floats(count * hidden_stride);
    float* block = y + first * width;
    out_.Run(heads + first * qkv_stride, qkv_stride, count, block, width, scratch);
    norm2_.Run(block, count, normed);
    up_.Run(normed, width, count, hidden, hidden_stride, scratch);
    down_.Run(hidden, hidden_stride, count, block, width, scratch);
  });
}

}  // namespace tutti
