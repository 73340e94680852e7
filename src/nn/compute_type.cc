#include "tutti/compute_type.h"

#include <array>

#include "base/status.h"
#include "nn/matrix_product.h"

namespace tutti {
namespace {

constexpr std::array kTypes = {ComputeType::kAuto, ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8};

}  // namespace

std::string_view Name(ComputeType type) {
  switch (type) {
    case ComputeType::kAuto:
      return "auto";
    case ComputeType::kF32:
      return "f32";
    case ComputeType::kBf16:
      return "bf16";
    case ComputeType::kInt8:
      return "int8";
  }
  return "unknown";
}

absl::StatusOr<ComputeType> ParseComputeType(std::string_view name) {
  for (const ComputeType type : kTypes) {
    if (Name(type) == name) return type;
  }
  return InvalidArgument("compute type: \"{}\", expected auto, f32, bf16 or int8", name);
}

ComputeType ResolveComputeType(ComputeType asked, AccuracyGuard passed) {
  const ProductIsa isa = DetectProductIsa();
  switch (asked) {
    case ComputeType::kAuto:
      if (isa.vnni && passed.int8) return ComputeType::kInt8;
      return isa.fast_bf16 && passed.bf16 ? ComputeType::kBf16 : ComputeType::kF32;
    case ComputeType::kInt8:
      return isa.int8 ? ComputeType::kInt8 : ComputeType::kF32;
    case ComputeType::kBf16:
      return isa.bf16 ? ComputeType::kBf16 : ComputeType::kF32;
    case ComputeType::kF32:
      return ComputeType::kF32;
  }
  return ComputeType::kF32;
}

}  // namespace tutti
