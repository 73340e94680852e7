#include "models/layers.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

namespace tutti {

absl::StatusOr<Linear> LoadLinear(const WeightSource& source, std::string_view name, LinearShape shape,
                                  LinearOptions options) {
  const std::string bias = shape.bias ? fmt::format("{}.bias", name) : "";
  return LoadLinearOf(source, fmt::format("{}.weight", name), bias, shape.out, shape.in, options);
}

absl::StatusOr<Linear> LoadLinearOf(const WeightSource& source, std::string_view weight, std::string_view bias,
                                    int64_t out, int64_t in, LinearOptions options) {
  options.arena = &source.arena();
  TUTTI_ASSIGN_OR_RETURN(const StoredMatrix matrix, source.GetMatrix(weight, out, in));
  if (bias.empty()) return Linear::Create(matrix.view, nullptr, out, in, options);
  TUTTI_ASSIGN_OR_RETURN(const Weight added, source.Get(bias, {out}));
  return Linear::Create(matrix.view, added.data(), out, in, options);
}

absl::StatusOr<Norm> Norm::Load(const WeightSource& source, std::string_view name, int64_t width, float eps) {
  return LoadOf(source, fmt::format("{}.weight", name), fmt::format("{}.bias", name), width, eps);
}

absl::StatusOr<Norm> Norm::LoadOf(const WeightSource& source, std::string_view gamma, std::string_view beta,
                                  int64_t width, float eps) {
  TUTTI_ASSIGN_OR_RETURN(const Weight scale, source.Get(gamma, {width}));
  TUTTI_ASSIGN_OR_RETURN(const Weight shift, source.Get(beta, {width}));
  Norm norm;
  norm.gamma_ = scale.Copy();
  norm.beta_ = shift.Copy();
  norm.eps_ = eps;
  return norm;
}

absl::StatusOr<Fsmn> Fsmn::Load(const WeightSource& source, std::string_view name, FsmnShape shape) {
  TUTTI_ASSIGN_OR_RETURN(const Weight weight, source.Get(fmt::format("{}.weight", name), {shape.width, 1, shape.taps}));
  Fsmn fsmn;
  fsmn.shape_ = shape;
  fsmn.kernel_.resize(weight.size());
  for (int64_t c = 0; c < shape.width; ++c) {
    for (int64_t j = 0; j < shape.taps; ++j) {
      fsmn.kernel_[static_cast<size_t>(j * shape.width + c)] = weight.data()[c * shape.taps + j];
    }
  }
  return fsmn;
}

}  // namespace tutti
