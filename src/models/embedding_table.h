#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "models/weight_source.h"
#include "tutti/compute_type.h"

namespace tutti {

// A vector of `width` for each id of a vocabulary, kept in f32, bf16 or int8 as the network computes. Immutable after
// Load; safe from any thread.
class EmbeddingTable {
 public:
  EmbeddingTable() = default;  // empty: assign a loaded one before use
  // Takes the matrix `name` [vocabulary, width].
  static absl::StatusOr<EmbeddingTable> Load(const WeightSource& source, std::string_view name, int64_t vocabulary,
                                             int64_t width, ComputeType type);

  // 0 <= id < vocabulary.
  void Get(int64_t id, float* vector) const;

 private:
  int64_t width_ = 0;
  ComputeType type_ = ComputeType::kF32;
  std::vector<float> f32_;
  std::vector<uint16_t> bf16_;
  std::vector<int8_t> int8_;
  std::vector<float> scales_;
};

}  // namespace tutti
