#include "models/embedding_table.h"

#include <algorithm>

#include "nn/quantise.h"

namespace tutti {

absl::StatusOr<EmbeddingTable> EmbeddingTable::Load(const WeightSource& source, std::string_view name,
                                                    int64_t vocabulary, int64_t width, ComputeType type) {
  TUTTI_ASSIGN_OR_RETURN(const Weight weight, source.Get(name, {vocabulary, width}));
  EmbeddingTable table;
  table.width_ = width;
  table.type_ = type;
  switch (type) {
    case ComputeType::kInt8:
      table.int8_.resize(weight.size());
      table.scales_.resize(static_cast<size_t>(vocabulary));
      QuantiseWeights(weight.data(), vocabulary, width, table.int8_.data(), table.scales_.data());
      break;
    case ComputeType::kBf16:
      table.bf16_.resize(weight.size());
      ToBf16(weight.data(), vocabulary * width, table.bf16_.data());
      break;
    default:
      table.f32_ = weight.Copy();
  }
  return table;
}

void EmbeddingTable::Get(int64_t id, float* vector) const {
  switch (type_) {
    case ComputeType::kInt8:
      return DequantiseWeights(int8_.data() + id * width_, scales_.data() + id, 1, width_, vector);
    case ComputeType::kBf16:
      return FromBf16(bf16_.data() + id * width_, width_, vector);
    default:
      std::copy_n(f32_.data() + id * width_, width_, vector);
  }
}

}  // namespace tutti
