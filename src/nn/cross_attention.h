#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "nn/ops.h"
#include "nn/workspace.h"
#include "tutti/compute_type.h"

namespace tutti {

// The keys and values that one utterance's encoder rows have in every layer of a decoder: written once, then read at
// each of its steps. They lie as CrossAttention reads them, by head: keys [dk][rows], values [rows][dk], in f32, bf16
// or int8; int8 has a scale for each head of each row, and lies in words of four numbers (cross_attention_quads.h)
// where this CPU multiplies those.
//
// Owned by one utterance. Reads may run at the same time as each other.
class CrossMemory {
 public:
  CrossMemory() = default;  // empty
  // `type` is kF32, kBf16 or kInt8.
  CrossMemory(int64_t layers, int64_t rows, AttentionShape shape, ComputeType type);

  static int64_t Bytes(int64_t layers, int64_t rows, AttentionShape shape, ComputeType type);

  int64_t layers() const { return layers_; }
  int64_t rows() const { return rows_; }
  ComputeType type() const { return type_; }

  // Takes keys and values, [count, heads · dk] each, rows `stride` floats apart, as rows [first, first + count) of
  // `layer`. Calls for different rows may run at the same time.
  void Put(int64_t layer, int64_t first, int64_t count, const float* keys, const float* values, int64_t stride);

  // Where a head lies; for the kernels.
  struct Head {
    std::byte* keys;
    std::byte* values;
    float* key_scales;  // [padded rows], int8 only
    float* value_scales;
  };
  Head head(int64_t layer, int64_t head) const;
  int64_t padded_rows() const { return padded_rows_; }
  int64_t padded_dk() const { return padded_dk_; }
  const AttentionShape& shape() const { return shape_; }
  bool in_quads() const;

 private:
  struct Free {
    void operator()(std::byte* bytes) const;
  };

  int64_t layers_ = 0, rows_ = 0, padded_rows_ = 0, padded_dk_ = 0;
  AttentionShape shape_;
  ComputeType type_ = ComputeType::kF32;
  std::unique_ptr<std::byte, Free> bytes_;
};

// One head of attention of `rows` queries to the memory of their utterance:
//   out[r, 0 … dk) = softmax(scale · q·kᵀ) · v,  rows q_stride and out_stride floats apart; out may be q.
// A row's result does not depend on the others'. `weights`, where it is not null, receives what softmax made, [rows,
// memory.rows()]. Without rows in the memory the result is zeros. Reentrant.
void CrossAttentionHead(const float* q, int64_t q_stride, int64_t rows, const CrossMemory& memory, int64_t layer,
                        int64_t head, float scale, float* out, int64_t out_stride, float* weights,
                        Workspace& workspace);

}  // namespace tutti
