#include "models/weight_source.h"

#include <algorithm>

namespace tutti {

absl::StatusOr<StoredMatrix> WeightSource::GetMatrix(std::string_view name, int64_t out, int64_t in) const {
  TUTTI_ASSIGN_OR_RETURN(Weight weight, Get(name, {out, in}));
  const float* data = weight.data();
  return StoredMatrix{.owner = std::move(weight), .view = {.data = data}};
}

absl::StatusOr<StoredMatrix> CheckpointWeights::GetMatrix(std::string_view name, int64_t out, int64_t in) const {
  TUTTI_ASSIGN_OR_RETURN(const TensorView view, checkpoint_->Find(name));
  const std::string scales_name = std::string(name) + kScalesSuffix;
  const bool fits = view.parts.empty() && view.shape == std::vector<int64_t>{out, in};
  const bool aligned = reinterpret_cast<uintptr_t>(view.data) % alignof(uint16_t) == 0;
  if (const bool is_half = view.dtype == DType::kF16; fits && (is_half || (aligned && view.dtype == DType::kBF16))) {
    return StoredMatrix{
        .owner = Weight(std::span<const float>(), checkpoint_->Borrow(view)),
        .view = {.type = is_half ? ComputeType::kF32 : ComputeType::kBf16, .data = view.data, .is_half = is_half}};
  }
  const bool is_int8 = view.dtype == DType::kI8 || view.dtype == DType::kI8Panels;
  if (!fits || !is_int8 || !checkpoint_->Has(scales_name)) return WeightSource::GetMatrix(name, out, in);
  TUTTI_ASSIGN_OR_RETURN(Weight scales, Get(scales_name, {out}));
  const float* data = scales.data();
  return StoredMatrix{.owner = std::move(scales),
                      .view = {.type = ComputeType::kInt8,
                               .data = view.data,
                               .scales = data,
                               .order = view.dtype == DType::kI8Panels ? WeightOrder::kPanels : WeightOrder::kRows,
                               .owner = checkpoint_}};
}

absl::StatusOr<Weight> CheckpointWeights::Get(std::string_view name, std::span<const int64_t> shape) const {
  TUTTI_ASSIGN_OR_RETURN(const TensorView view, checkpoint_->Find(name));
  const bool aligned = reinterpret_cast<uintptr_t>(view.data) % alignof(float) == 0;
  if (view.parts.empty() && view.dtype == DType::kF32 && aligned && std::ranges::equal(view.shape, shape)) {
    return Weight(std::span(reinterpret_cast<const float*>(view.data), static_cast<size_t>(view.elements())),
                  checkpoint_->Borrow(view));
  }
  const auto lease = checkpoint_->Borrow(view);
  TUTTI_ASSIGN_OR_RETURN(std::vector<float> floats, checkpoint_->Floats(name, shape));
  return Weight(std::move(floats));
}

}  // namespace tutti
