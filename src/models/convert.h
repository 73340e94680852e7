#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "tutti/compute_type.h"

namespace tutti {

// Whether a recogniser's tensor of this name takes part in its products in the compute type. Every other tensor is f32
// whatever the type.
bool IsNarrowMatrix(std::string_view name);

// Writes the model at `in` (as ModelPackage::Open takes it, but no file converted to a narrow type) as one GGUF file
// with its large matrices in `type`: f32, bf16 or int8. A VAD stays f32. The file holds what inference reads and
// nothing else; it depends on the model and the type alone, byte for byte. What is computed from it in that type is, to
// the last bit, what the original gives.
//
// The model is loaded first, so a file is written only of one that runs. `out` appears when it is complete.
absl::Status ConvertModel(const std::string& in, const std::string& out, ComputeType type);

}  // namespace tutti
