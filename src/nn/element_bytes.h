#pragma once

#include <cstdint>

#include "tutti/compute_type.h"

namespace tutti {

// Bytes of a number of this type; never kAuto.
constexpr int64_t ElementBytes(ComputeType type) {
  return type == ComputeType::kInt8 ? 1 : type == ComputeType::kBf16 ? 2 : int64_t{sizeof(float)};
}

}  // namespace tutti
