#include "nn/panel_product.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "nn/element_bytes.h"
#include "nn/panel_kernel.h"
#include "nn/team.h"
#include "nn/weight_convert.h"
#include "nn/weight_panels.h"

namespace tutti {
namespace {

constexpr size_t kCacheLine = 64;
// Rows that are converted and multiplied before the next. A panel is read from a far cache once for each block; a block
// that outgrows the near one is read from afar for each panel.
constexpr int64_t kMaxBlockBytes = int64_t{448} << 10;
// Rows so many bytes apart share a few places of the first cache.
constexpr int64_t kCrowded = 512;

// Rows that are converted and packed before the next, whole panels of them.
constexpr int64_t kPackedRows = 8 * kPanelColumns;

// Weights [out, in] as panels (panel_kernel.h).
void Pack(const std::byte* weights, int64_t out, int64_t row_bytes, int64_t words, std::byte* panels) {
  constexpr int64_t kPanelWord = kPanelColumns * kWordBytes;
  for (int64_t o = 0; o < out; ++o) {
    const std::byte* row = weights + o * row_bytes;
    std::byte* to = panels + o / kPanelColumns * words * kPanelWord + o % kPanelColumns * kWordBytes;
    for (int64_t byte = 0; byte < row_bytes; byte += kWordBytes, to += kPanelWord) {
      std::memcpy(to, row + byte, static_cast<size_t>(std::min(kWordBytes, row_bytes - byte)));
    }
  }
}

// Weights that someone keeps, in the order of panels and at the start of a cache line, as a mapped file has them.
bool IsInPlace(const WeightMatrix& weights) {
  static_assert(kStoredPanelColumns == kPanelColumns && kStoredPanelWord == kWordBytes);
  return weights.order == WeightOrder::kPanels && weights.owner != nullptr &&
         reinterpret_cast<uintptr_t>(weights.data) % kCacheLine == 0;
}

}  // namespace

struct PanelProduct::Packed {
  std::shared_ptr<const std::byte> panels;
  // Of every panel's column.
  std::vector<float> bias;
  std::vector<float> column_scales, column_sums;  // int8 only

  // Of columns [first, first + count), whose weights these are.
  void TakeScales(const WeightMatrix& weights, int64_t first, int64_t count, int64_t in) {
    std::copy_n(weights.scales, count, column_scales.begin() + first);
    std::ranges::copy(SumsOfRows(weights, count, in), column_sums.begin() + first);
  }
};

PanelProduct::PanelProduct() = default;
PanelProduct::~PanelProduct() = default;

absl::StatusOr<std::unique_ptr<const PanelProduct>> PanelProduct::Create(const WeightMatrix& weights, ComputeType type,
                                                                         const float* bias, int64_t out, int64_t in,
                                                                         Combine combine, WeightArena& arena) {
  const int64_t row_bytes = in * ElementBytes(type);
  auto packed = std::make_unique<Packed>();
  std::unique_ptr<PanelProduct> product(new PanelProduct());
  product->type_ = type;
  product->kernel_ = FindPanelKernel(type);
  product->combine_ = combine;
  product->in_ = in;
  product->out_ = out;
  product->words_ = (row_bytes + kWordBytes - 1) / kWordBytes;
  product->row_bytes_ = row_bytes;
  product->stride_ = (row_bytes + kDepthBytes - 1) / kDepthBytes * kDepthBytes;
  if (product->stride_ % kCrowded == 0) product->stride_ += static_cast<int64_t>(kCacheLine);

  const auto columns = static_cast<size_t>((out + kPanelColumns - 1) / kPanelColumns * kPanelColumns);
  packed->bias.resize(columns);
  if (bias != nullptr) std::copy(bias, bias + out, packed->bias.begin());
  if (type == ComputeType::kInt8) {
    packed->column_scales.resize(columns);
    packed->column_sums.resize(columns);
  }
  if (type == weights.type && IsInPlace(weights)) {
    packed->panels = std::shared_ptr<const std::byte>(weights.owner, static_cast<const std::byte*>(weights.data));
    packed->TakeScales(weights, 0, out, in);
  } else {
    const size_t bytes = columns * static_cast<size_t>(product->words_ * kWordBytes);
    const std::shared_ptr<std::byte> panels = arena.Allocate(bytes);
    if (panels == nullptr) return ResourceExhausted("linear layer [{}, {}]: no memory for {} bytes", out, in, bytes);
    WeightConverter converter;
    for (int64_t first = 0; first < out; first += kPackedRows) {
      const int64_t count = std::min(kPackedRows, out - first);
      const WeightMatrix rows = converter.Rows(weights, type, first, count, in);
      Pack(static_cast<const std::byte*>(rows.data), count, row_bytes, product->words_,
           panels.get() + first * product->words_ * kWordBytes);
      if (type == ComputeType::kInt8) packed->TakeScales(rows, first, count, in);
    }
    packed->panels = panels;
  }
  product->packed_ = std::move(packed);
  return absl::StatusOr<std::unique_ptr<const PanelProduct>>(std::move(product));
}

int64_t PanelProduct::BlockOf(int64_t rows) const {
  const int64_t most = std::clamp<int64_t>(kMaxBlockBytes / stride_, 1, PanelBlockRows());
  const int64_t blocks = (rows + most - 1) / most;
  return (rows + blocks - 1) / blocks;
}

PanelOperands PanelProduct::Operands(int64_t y_stride) const {
  const bool int8 = type_ == ComputeType::kInt8;
  return {.words = words_,
          .panels = packed_->panels.get(),
          .out = out_,
          .bias = packed_->bias.data(),
          .column_scales = int8 ? packed_->column_scales.data() : nullptr,
          .column_sums = int8 ? packed_->column_sums.data() : nullptr,
          .combine = combine_,
          .y_stride = y_stride};
}

void PanelProduct::TakeRows(const float* x, int64_t x_stride, int64_t rows, std::byte* converted, RowScale* scales,
                            PanelOperands& operands) const {
  constexpr int32_t kLevels = 255;
  operands.rows = rows;
  if (type_ == ComputeType::kF32 && x_stride * kWordBytes % kCrowded != 0) {
    operands.x = reinterpret_cast<const std::byte*>(x);
    operands.x_stride = x_stride * kWordBytes;
    return;
  }
  operands.x = converted;
  operands.x_stride = stride_;
  operands.row_scales = scales;
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = x + r * x_stride;
    std::byte* to = converted + r * stride_;
    if (type_ == ComputeType::kInt8) {
      QuantiseRows(from, 1, in_, kLevels, reinterpret_cast<uint8_t*>(to), scales + r);
    } else if (type_ == ComputeType::kBf16) {
      ToBf16(from, in_, reinterpret_cast<uint16_t*>(to));
    } else {
      std::memcpy(to, from, static_cast<size_t>(row_bytes_));
    }
    std::fill(to + row_bytes_, to + stride_, std::byte{0});
  }
}

void PanelProduct::Run(const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride,
                       Workspace& workspace) const {
  if (rows <= 0) return;
  Workspace::Scope scope(workspace);
  const int64_t block = BlockOf(rows);
  std::byte* converted = scope.Bytes(block * stride_);
  auto* scales = scope.As<RowScale>(block);
  PanelOperands operands = Operands(y_stride);
  for (int64_t first = 0; first < rows; first += block) {
    TakeRows(x + first * x_stride, x_stride, std::min(block, rows - first), converted, scales, operands);
    operands.y = y + first * y_stride;
    kernel_(operands);
  }
}

void PanelProduct::RunByPanels(const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride,
                               Workspace& workspace) const {
  if (rows <= 0) return;
  Workspace::Scope scope(workspace);
  PanelOperands all = Operands(y_stride);
  TakeRows(x, x_stride, rows, scope.Bytes(rows * stride_), scope.As<RowScale>(rows), all);
  const int64_t panels = (out_ + kPanelColumns - 1) / kPanelColumns, panel_bytes = words_ * kPanelColumns * kWordBytes;
  // More parts than threads, so that one that begins late takes fewer.
  const int64_t parts = std::min(panels, 4 * int64_t{TeamSize(workspace)});
  ForEach(parts, workspace, [&](int64_t part, Workspace&) {
    const int64_t first = panels * part / parts, column = first * kPanelColumns;
    PanelOperands operands = all;
    operands.panels += first * panel_bytes;
    operands.out = std::min(out_, panels * (part + 1) / parts * kPanelColumns) - column;
    operands.bias += column;
    if (operands.column_scales != nullptr) {
      operands.column_scales += column;
      operands.column_sums += column;
    }
    operands.y = y + column;
    kernel_(operands);
  });
}

void PanelProduct::Weights(int64_t o, float* weights) const {
  constexpr int64_t kPanelWord = kPanelColumns * kWordBytes;
  const std::byte* from =
      packed_->panels.get() + o / kPanelColumns * words_ * kPanelWord + o % kPanelColumns * kWordBytes;
  const int64_t in_word = kWordBytes / ElementBytes(type_);
  for (int64_t i = 0; i < in_; i += in_word, from += kPanelWord) {
    const int64_t count = std::min(in_word, in_ - i);
    if (type_ == ComputeType::kInt8) {
      const float* scale = packed_->column_scales.data() + o;
      DequantiseWeights(reinterpret_cast<const int8_t*>(from), scale, 1, count, weights + i);
    } else if (type_ == ComputeType::kBf16) {
      FromBf16(reinterpret_cast<const uint16_t*>(from), count, weights + i);
    } else {
      std::memcpy(weights + i, from, sizeof(float));
    }
  }
}

}  // namespace tutti
