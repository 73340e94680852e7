#pragma once

#include <memory>

#include "tutti/compute_type.h"

namespace tutti {

enum class WeightOrder {
  kRows,    // row-major
  kPanels,  // nn/weight_panels.h; int8 only
};

// A weight matrix [out, in] in one of the forms that files hold. A view: the bytes outlive it; they need no alignment
// beyond their element's, and halves not even that.
struct WeightMatrix {
  ComputeType type = ComputeType::kF32;  // of the elements: f32, bf16 or int8; never kAuto
  const void* data = nullptr;            // float, uint16_t or int8_t
  bool is_half = false;                  // type is f32, but the elements in `data` are halves
  const float* scales = nullptr;         // int8 only: [out], w[o, i] = scales[o] · data[o, i]
  WeightOrder order = WeightOrder::kRows;
  // Not null: keeps `data` while it is held, so that a product may use the bytes where they are.
  std::shared_ptr<const void> owner = nullptr;
};

}  // namespace tutti
