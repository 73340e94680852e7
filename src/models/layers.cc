#include "models/layers.h"

#include <fmt/format.h>

namespace tutti {

absl::StatusOr<Linear> LoadLinear(const WeightSource& source, std::string_view name, LinearShape shape,
                                  LinearOptions options) {
  options.arena = &source.arena();
  TUTTI_ASSIGN_OR_RETURN(const StoredMatrix weight,
                         source.GetMatrix(fmt::format("{}.weight", name), shape.out, shape.in));
  if (!shape.bias) return Linear::Create(weight.view, nullptr, shape.out, shape.in, options);
  TUTTI_ASSIGN_OR_RETURN(const Weight bias, source.Get(fmt::format("{}.bias", name), {shape.out}));
  return Linear::Create(weight.view, bias.data(), shape.out, shape.in, options);
}

absl::StatusOr<Norm> Norm::Load(const WeightSource& source, std::string_view name, int64_t width, float eps) {
  TUTTI_ASSIGN_OR_RETURN(const Weight gamma, source.Get(fmt::format("{}.weight", name), {width}));
  TUTTI_ASSIGN_OR_RETURN(const Weight beta, source.Get(fmt::format("{}.bias", name), {width}));
  Norm norm;
  norm.gamma_ = gamma.Copy();
  norm.beta_ = beta.Copy();
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
