#include "models/weight_source.h"

#include <algorithm>

namespace tutti {

absl::StatusOr<StoredMatrix> WeightSource::GetMatrix(std::string_view name, int64_t out, int64_t in) const {
  TUTTI_ASSIGN_OR_RETURN(Weight weight, Get(name, {out, in}));
  const float* data = weight.data();
  return StoredMatrix{.owner = std::move(weight), .view = {.data = data}};
}

absl::StatusOr<Weight> CheckpointWeights::Get(std::string_view name, std::span<const int64_t> shape) const {
  TUTTI_ASSIGN_OR_RETURN(const TensorView view, checkpoint_->Find(name));
  const bool aligned = reinterpret_cast<uintptr_t>(view.data) % alignof(float) == 0;
  if (view.dtype == DType::kF32 && aligned && std::ranges::equal(view.shape, shape)) {
    return Weight(std::span(reinterpret_cast<const float*>(view.data), static_cast<size_t>(view.elements())));
  }
  TUTTI_ASSIGN_OR_RETURN(std::vector<float> floats, checkpoint_->Floats(name, shape));
  return Weight(std::move(floats));
}

}  // namespace tutti
