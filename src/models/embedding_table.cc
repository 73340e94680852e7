#include "models/embedding_table.h"

#include <algorithm>

#include "nn/quantise.h"
#include "nn/weight_convert.h"
#include "nn/weight_panels.h"

namespace tutti {

absl::StatusOr<EmbeddingTable> EmbeddingTable::Load(const WeightSource& source, std::string_view name,
                                                    int64_t vocabulary, int64_t width, ComputeType type) {
  TUTTI_ASSIGN_OR_RETURN(const StoredMatrix stored, source.GetMatrix(name, vocabulary, width));
  const WeightMatrix& from = stored.view;
  const auto size = static_cast<size_t>(vocabulary * width);
  EmbeddingTable table;
  table.width_ = width;
  table.type_ = type;
  if (from.type == ComputeType::kInt8) {
    const auto* q = static_cast<const int8_t*>(from.data);
    table.int8_.assign(q, q + size);
    table.scales_.assign(from.scales, from.scales + vocabulary);
    if (from.order == WeightOrder::kPanels) RowsFromPanels(q, vocabulary, width, table.int8_.data());
    // Quantised anew it would differ in the last bit of a scale.
    if (type == ComputeType::kInt8) return table;
    table.f32_.resize(size);
    DequantiseWeights(table.int8_.data(), table.scales_.data(), vocabulary, width, table.f32_.data());
    table.int8_ = {};
    table.scales_ = {};
  } else if (from.type == ComputeType::kBf16 || from.is_half) {
    WeightConverter converter;
    const WeightMatrix f32 = converter.Rows(from, ComputeType::kF32, 0, vocabulary, width);
    const auto* data = static_cast<const float*>(f32.data);
    table.f32_.assign(data, data + size);
  }
  const float* f32 = table.f32_.empty() ? static_cast<const float*>(from.data) : table.f32_.data();
  switch (type) {
    case ComputeType::kInt8:
      table.int8_.resize(size);
      table.scales_.resize(static_cast<size_t>(vocabulary));
      QuantiseWeights(f32, vocabulary, width, table.int8_.data(), table.scales_.data());
      break;
    case ComputeType::kBf16:
      table.bf16_.resize(size);
      ToBf16(f32, vocabulary * width, table.bf16_.data());
      break;
    default:
      if (table.f32_.empty()) table.f32_.assign(f32, f32 + size);
      return table;
  }
  table.f32_ = {};
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
