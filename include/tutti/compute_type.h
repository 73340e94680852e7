#pragma once

#include <string_view>

#include "absl/status/statusor.h"

namespace tutti {

// The number type of a network's large matrix products. Everything else (norms, attention's softmax, predictor, output
// layer, VAD) is f32 whatever the type. docs/performance.md has the table of what runs where.
//   kF32   the reference
//   kBf16  weights and activations rounded to bf16, sums in f32; needs a CPU with bf16 products
//   kInt8  weights with one scale for each output, activations with a scale and a zero point for each row, both
//          computed from the row alone; sums in s32
//   kAuto  the fastest that this CPU has, among those that keep the model family's accuracy
enum class ComputeType { kAuto, kF32, kBf16, kInt8 };

// "auto", "f32", "bf16", "int8".
std::string_view Name(ComputeType type);
// InvalidArgument lists the names.
absl::StatusOr<ComputeType> ParseComputeType(std::string_view name);

// The compute types that kAuto may choose for a family of models: those whose error rate on recordings with known text
// is within 0.2 points of f32's. A family states it from a measurement that tests repeat.
struct AccuracyGuard {
  bool bf16 = false;
  bool int8 = false;
};

// What this CPU runs when `asked` is asked for: kAuto becomes the fastest that `passed` allows, a type that the CPU
// lacks falls back to kF32. Never kAuto.
ComputeType ResolveComputeType(ComputeType asked, AccuracyGuard passed = {});

}  // namespace tutti
