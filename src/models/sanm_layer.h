#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/status.h"
#include "models/layers.h"
#include "models/weight_source.h"
#include "nn/linear.h"
#include "nn/ops.h"
#include "nn/workspace.h"

namespace tutti {

struct SanmLayerShape {
  int64_t in = 0;
  int64_t width = 0;
  int64_t heads = 0;
  int64_t hidden = 0;                            // of the feed-forward block
  int64_t taps = 0;                              // FSMN kernel
  int64_t left = 0;                              // FSMN taps that look back
  ComputeType compute_type = ComputeType::kF32;  // of the linear layers
};

// One SAN-M layer (spec §5.2): self-attention plus FSMN memory over its values, then a feed-forward block, each after a
// layer norm. The sum of attention and memory joins a residual only when in == width.
//
// Every addition happens inside a product or the FSMN kernel, so memory is passed over no more often than the products
// need. Immutable after Load; safe from any thread, each with its own Workspace.
class SanmLayer {
 public:
  static absl::StatusOr<SanmLayer> Load(const WeightSource& source, std::string_view name, const SanmLayerShape& shape,
                                        float norm_eps);

  // x [rows, in] → y [rows, width]; x == y is allowed when in == width.
  void Run(const float* x, std::span<const int64_t> offsets, float* y, Workspace& workspace) const;

  // Writes rows [first, first + count) of x to `rows`; from any thread of the workspace's team.
  using Input = std::function<void(int64_t first, int64_t count, float* rows)>;
  // The same with an x that is made as it is read and, unless a residual wants it, never there as a whole.
  void RunFrom(const Input& x, std::span<const int64_t> offsets, float* y, Workspace& workspace) const;

 private:
  SanmLayer() = default;

  // Norm1 of rows [first, first + count) of x, for each group from its first row on.
  using NormedInput = std::function<void(int64_t first, int64_t count, float* normed)>;
  // `y` holds x where there is a residual.
  void RunGroups(const NormedInput& input, std::span<const int64_t> offsets, float* y, Workspace& workspace) const;
  void RunGroup(const NormedInput& input, int64_t first_row, std::span<const int64_t> offsets, float* y,
                Workspace& workspace) const;

  // The heads of attention side by side, rows `stride` floats apart.
  struct Heads {
    const float* data;
    int64_t stride;
  };
  // Attention over a group, in memory of `scope`; the FSMN memory goes to y.
  Heads Attend(const NormedInput& input, int64_t first_row, std::span<const int64_t> offsets, float* y,
               Workspace& workspace, Workspace::Scope& scope) const;
  // The same, bit for bit, where attention is in bf16: queries and keys wait for it in bf16, which is half the memory.
  Heads AttendNarrow(const NormedInput& input, int64_t first_row, std::span<const int64_t> offsets, float* y,
                     Workspace& workspace, Workspace::Scope& scope) const;
  AttentionShape attention_shape() const;
  float attention_scale() const;

  SanmLayerShape shape_;
  Norm norm1_, norm2_;
  Linear qkv_, out_, up_, down_;
  Fsmn fsmn_;
};

}  // namespace tutti
