#include "models/sanm_layer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/segment_groups.h"
#include "nn/matrix_product.h"
#include "nn/quantise.h"

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
  Workspace::Scope scope(workspace);
  const bool narrow = shape_.compute_type != ComputeType::kF32 && DetectProductIsa().fast_bf16;
  const Heads heads = narrow ? AttendNarrow(input, first_row, offsets, y, workspace, scope)
                             : Attend(input, first_row, offsets, y, workspace, scope);
  const int64_t width = shape_.width, hidden_stride = Linear::RowStride(shape_.compute_type, shape_.hidden);
  ForRowBlocks(offsets.back(), workspace, [&](int64_t first, int64_t count, Workspace& scratch) {
    Workspace::Scope block_scope(scratch);
    float* normed = block_scope.Floats(count * width);
    float* hidden = block_scope.Floats(count * hidden_stride);
    float* block = y + first * width;
    out_.Run(heads.data + first * heads.stride, heads.stride, count, block, width, scratch);
    norm2_.Run(block, count, normed);
    up_.Run(normed, width, count, hidden, hidden_stride, scratch);
    down_.Run(hidden, hidden_stride, count, block, width, scratch);
  });
}

SanmLayer::Heads SanmLayer::Attend(const NormedInput& input, int64_t first_row, std::span<const int64_t> offsets,
                                   float* y, Workspace& workspace, Workspace::Scope& scope) const {
  const int64_t width = shape_.width, stride = Linear::RowStride(shape_.compute_type, 3 * width);
  float* qkv = scope.Floats(offsets.back() * stride);
  ForRowBlocks(offsets.back(), workspace, [&](int64_t first, int64_t count, Workspace& scratch) {
    Workspace::Scope block_scope(scratch);
    float* normed = block_scope.Floats(count * shape_.in);
    input(first_row + first, count, normed);
    qkv_.Run(normed, shape_.in, count, qkv + first * stride, stride, scratch);
  });
  float* const q = qkv;
  const float *k = qkv + width, *v = qkv + 2 * width;
  fsmn_.Run(v, stride, offsets, shape_.in == width, y);
  Attention(q, stride, offsets, k, v, stride, offsets, attention_shape(), attention_scale(), q, stride, workspace);
  return {q, stride};
}

SanmLayer::Heads SanmLayer::AttendNarrow(const NormedInput& input, int64_t first_row, std::span<const int64_t> offsets,
                                         float* y, Workspace& workspace, Workspace::Scope& scope) const {
  const int64_t rows = offsets.back(), width = shape_.width;
  const int64_t v_stride = Linear::RowStride(shape_.compute_type, width);
  auto* qk = scope.As<uint16_t>(rows * 2 * width);
  float* v = scope.Floats(rows * v_stride);
  ForRowBlocks(rows, workspace, [&](int64_t first, int64_t count, Workspace& scratch) {
    Workspace::Scope block_scope(scratch);
    const int64_t stride = Linear::RowStride(shape_.compute_type, 3 * width);
    float* normed = block_scope.Floats(count * shape_.in);
    float* qkv = block_scope.Floats(count * stride);
    input(first_row + first, count, normed);
    qkv_.Run(normed, shape_.in, count, qkv, stride, scratch);
    for (int64_t r = first; r < first + count; ++r, qkv += stride) {
      ToBf16(qkv, 2 * width, qk + r * 2 * width);
      std::copy_n(qkv + 2 * width, width, v + r * v_stride);
    }
  });
  fsmn_.Run(v, v_stride, offsets, shape_.in == width, y);
  SelfAttentionBf16(qk, qk + width, 2 * width, v, v_stride, offsets, attention_shape(), attention_scale(), workspace);
  return {v, v_stride};
}

AttentionShape SanmLayer::attention_shape() const {
  return {shape_.heads, shape_.width / shape_.heads, shape_.compute_type != ComputeType::kF32};
}

float SanmLayer::attention_scale() const {
  const int64_t dk = shape_.width / shape_.heads;
  return 1.0F / std::sqrt(static_cast<float>(dk));
}

}  // namespace tutti
