#include "nn/linear.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "nn/matrix_product.h"
#include "nn/panel_kernel.h"
#include "nn/panel_product.h"
#include "nn/quantise.h"
#include "nn/team.h"
#include "nn/weight_convert.h"
#include "nn/weight_panels.h"

namespace tutti {
namespace {

// Rows whose activations are converted, multiplied and converted back before the next: 64 rows of 2048 sums are half of
// a second-level cache.
constexpr int64_t kBlock = 64;

}  // namespace

struct Linear::Impl {
  std::unique_ptr<const PanelProduct> panels;  // where the CPU has kernels of ours; then nothing else here is used
  ComputeType type = ComputeType::kF32;
  Combine combine = Combine::kStore;
  MatrixProduct product;
  // int8 only.
  int32_t levels = 255;
  std::vector<float> column_scales;
  std::vector<float> column_sums;
  std::vector<float> bias;  // empty: none

  void RunF32(const float* x, int64_t x_stride, int64_t rows, float* y, Workspace& workspace) const;
  void RunBf16(const float* x, int64_t x_stride, int64_t rows, float* y, Workspace& workspace) const;
  void RunInt8(const float* x, int64_t x_stride, int64_t rows, float* y, Workspace& workspace) const;
};

Linear::Linear() = default;
Linear::~Linear() = default;
Linear::Linear(Linear&&) noexcept = default;
Linear& Linear::operator=(Linear&&) noexcept = default;
Linear::Linear(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}

int64_t Linear::in() const { return impl_->panels != nullptr ? impl_->panels->in() : impl_->product.in(); }
int64_t Linear::out() const { return impl_->panels != nullptr ? impl_->panels->out() : impl_->product.out(); }

absl::StatusOr<Linear> Linear::Create(const WeightMatrix& weights, const float* bias, int64_t out, int64_t in,
                                      LinearOptions options) {
  if (out <= 0 || in <= 0) return InvalidArgument("linear layer: shape [{}, {}], expected positive sizes", out, in);
  if (options.relu && options.accumulate)
    return InvalidArgument("linear layer: relu and accumulate exclude each other");
  auto impl = std::make_unique<Impl>();
  impl->type = ResolveComputeType(options.type);
  impl->combine = options.relu ? Combine::kRelu : options.accumulate ? Combine::kAccumulate : Combine::kStore;
  if (HasPanelKernel(impl->type)) {
    WeightArena own;
    TUTTI_ASSIGN_OR_RETURN(impl->panels, PanelProduct::Create(weights, impl->type, bias, out, in, impl->combine,
                                                              options.arena != nullptr ? *options.arena : own));
    return Linear(std::move(impl));
  }
  WeightConverter converter;
  const WeightMatrix converted = converter.Rows(weights, impl->type, 0, out, in);
  if (impl->type != ComputeType::kInt8) {
    TUTTI_ASSIGN_OR_RETURN(impl->product, MatrixProduct::Create(converted, bias, out, in, impl->combine));
    return Linear(std::move(impl));
  }
  TUTTI_ASSIGN_OR_RETURN(impl->product, MatrixProduct::Create(converted, nullptr, out, in, Combine::kStore));
  impl->levels = DetectProductIsa().vnni ? 255 : 127;
  impl->column_scales.assign(converted.scales, converted.scales + out);
  impl->column_sums = SumsOfRows(converted, out, in);
  if (bias != nullptr) impl->bias.assign(bias, bias + out);
  return Linear(std::move(impl));
}

int64_t Linear::RowStride(ComputeType type, int64_t width) {
  constexpr int64_t kLineFloats = 16;
  return HasPanelKernel(ResolveComputeType(type)) ? width + kLineFloats : width;
}

int64_t Linear::BlockRows() { return PanelBlockRows(); }

void Linear::Run(const float* x, int64_t rows, float* y, Workspace& workspace) const {
  Run(x, in(), rows, y, out(), workspace);
}

void Linear::Run(const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride,
                 Workspace& workspace) const {
  if (impl_->panels != nullptr) return impl_->panels->Run(x, x_stride, rows, y, y_stride, workspace);
  switch (impl_->type) {
    case ComputeType::kInt8:
      return impl_->RunInt8(x, x_stride, rows, y, workspace);
    case ComputeType::kBf16:
      return impl_->RunBf16(x, x_stride, rows, y, workspace);
    default:
      return impl_->RunF32(x, x_stride, rows, y, workspace);
  }
}

void Linear::RunByOutputs(const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride,
                          Workspace& workspace) const {
  if (impl_->panels == nullptr || TeamSize(workspace) == 1) return Run(x, x_stride, rows, y, y_stride, workspace);
  impl_->panels->RunByPanels(x, x_stride, rows, y, y_stride, workspace);
}

bool Linear::has_weights() const { return impl_->panels != nullptr; }
void Linear::Weights(int64_t o, float* weights) const { impl_->panels->Weights(o, weights); }

void Linear::Impl::RunF32(const float* x, int64_t x_stride, int64_t rows, float* y, Workspace& workspace) const {
  const int64_t in = product.in(), out = product.out();
  if (x_stride == in) return product.Run(x, rows, y, workspace);
  Workspace::Scope scope(workspace);
  float* dense = scope.Floats(std::min(rows, kBlock) * in);
  for (int64_t first = 0; first < rows; first += kBlock) {
    const int64_t count = std::min(kBlock, rows - first);
    for (int64_t r = 0; r < count; ++r) std::copy_n(x + (first + r) * x_stride, in, dense + r * in);
    product.Run(dense, count, y + first * out, workspace);
  }
}

void Linear::Impl::RunBf16(const float* x, int64_t x_stride, int64_t rows, float* y, Workspace& workspace) const {
  Workspace::Scope scope(workspace);
  const int64_t in = product.in(), out = product.out();
  auto* narrow = scope.As<uint16_t>(std::min(rows, kBlock) * in);
  for (int64_t first = 0; first < rows; first += kBlock) {
    const int64_t count = std::min(kBlock, rows - first);
    for (int64_t r = 0; r < count; ++r) ToBf16(x + (first + r) * x_stride, in, narrow + r * in);
    product.Run(narrow, count, y + first * out, workspace);
  }
}

void Linear::Impl::RunInt8(const float* x, int64_t x_stride, int64_t rows, float* y, Workspace& workspace) const {
  Workspace::Scope scope(workspace);
  const int64_t in = product.in(), out = product.out();
  const int64_t block = std::min(rows, kBlock);
  auto* levels_of_x = scope.As<uint8_t>(block * in);
  auto* scales = scope.As<RowScale>(block);
  auto* sums = scope.As<int32_t>(block * out);
  const ColumnScales columns = {column_scales, column_sums, bias.empty() ? nullptr : bias.data()};
  for (int64_t first = 0; first < rows; first += kBlock) {
    const int64_t count = std::min(kBlock, rows - first);
    for (int64_t r = 0; r < count; ++r) {
      QuantiseRows(x + (first + r) * x_stride, 1, in, levels, levels_of_x + r * in, scales + r);
    }
    product.Run(levels_of_x, count, sums, workspace);
    DequantiseRows(sums, count, scales, columns, combine, y + first * out);
  }
}

}  // namespace tutti
