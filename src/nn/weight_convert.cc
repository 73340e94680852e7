#include "nn/weight_convert.h"

#include <cstddef>
#include <cstring>

#include "checkpoint/half.h"
#include "nn/element_bytes.h"
#include "nn/quantise.h"
#include "nn/weight_panels.h"

namespace tutti {
namespace {

int64_t StoredBytes(const WeightMatrix& matrix) {
  return matrix.is_half ? int64_t{sizeof(uint16_t)} : ElementBytes(matrix.type);
}

}  // namespace

WeightMatrix WeightConverter::Rows(const WeightMatrix& from, ComputeType to, int64_t first, int64_t count,
                                   int64_t in) & {
  const auto elements = static_cast<size_t>(count * in);
  const auto* data = static_cast<const std::byte*>(from.data) + first * in * StoredBytes(from);
  const float* scales = from.scales == nullptr ? nullptr : from.scales + first;
  if (from.order == WeightOrder::kPanels) {
    rows_.resize(elements);
    RowsFromPanels(reinterpret_cast<const int8_t*>(data), count, in, rows_.data());
    data = reinterpret_cast<const std::byte*>(rows_.data());
  }
  if (from.type == to && !from.is_half) return {.type = to, .data = data, .scales = scales};

  const auto* f32 = reinterpret_cast<const float*>(data);
  if (from.type != ComputeType::kF32 || from.is_half) {
    f32_.resize(elements);
    if (from.type == ComputeType::kInt8) {
      DequantiseWeights(reinterpret_cast<const int8_t*>(data), scales, count, in, f32_.data());
    } else if (from.is_half) {
      for (size_t i = 0; i < elements; ++i) {
        uint16_t half;
        std::memcpy(&half, data + i * sizeof(half), sizeof(half));
        f32_[i] = FloatFromHalf(half);
      }
    } else {
      FromBf16(reinterpret_cast<const uint16_t*>(data), count * in, f32_.data());
    }
    f32 = f32_.data();
  }
  if (to == ComputeType::kBf16) {
    bf16_.resize(elements);
    ToBf16(f32, count * in, bf16_.data());
    return {.type = to, .data = bf16_.data()};
  }
  if (to == ComputeType::kInt8) {
    int8_.resize(elements);
    scales_.resize(static_cast<size_t>(count));
    QuantiseWeights(f32, count, in, int8_.data(), scales_.data());
    return {.type = to, .data = int8_.data(), .scales = scales_.data()};
  }
  return {.type = to, .data = f32};
}

}  // namespace tutti
