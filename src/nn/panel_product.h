#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "nn/panel_kernel.h"
#include "nn/quantise.h"
#include "nn/weight_arena.h"
#include "nn/weight_matrix.h"
#include "nn/workspace.h"

namespace tutti {

// y[rows, out] = Combine(x·Wᵀ + b) on CPUs with AVX-512, f32 in and out: a block of rows is converted to the weights'
// type and multiplied panel by panel, and each sum ends (dequantisation, bias, Combine) while it is still in its
// register. oneDNN's products (MatrixProduct) serve the other CPUs.
//
// A row's result depends neither on its neighbours nor on how many there are. No row is padded.
//
// Immutable after Create; safe from any thread, each with its own Workspace.
class PanelProduct {
 public:
  // Packs the weights [out, in] as `type`, which HasPanelKernel knows, into memory of the arena; those that are panels
  // of it already and have an owner are used where they are. bias [out] is copied, null for none. ResourceExhausted
  // without memory.
  static absl::StatusOr<std::unique_ptr<const PanelProduct>> Create(const WeightMatrix& weights, ComputeType type,
                                                                    const float* bias, int64_t out, int64_t in,
                                                                    Combine combine, WeightArena& arena);
  ~PanelProduct();

  int64_t in() const { return in_; }
  int64_t out() const { return out_; }

  // x [rows, in] and y [rows, out], rows x_stride and y_stride floats apart; they may not overlap.
  void Run(const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride, Workspace& workspace) const;
  // The same, with the panels shared among the workspace's team: for rows so few that they are one block. A sum has the
  // bits of Run.
  void RunByPanels(const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride,
                   Workspace& workspace) const;

  // The weights of output o, [in], as they are multiplied by.
  void Weights(int64_t o, float* weights) const;

 private:
  struct Packed;
  PanelProduct();

  // Rows that are converted and multiplied before the next, out of so many.
  int64_t BlockOf(int64_t rows) const;
  PanelOperands Operands(int64_t y_stride) const;
  // Points the operands at rows of x, converted into `converted` where the kernel cannot read them as they are.
  void TakeRows(const float* x, int64_t x_stride, int64_t rows, std::byte* converted, RowScale* scales,
                PanelOperands& operands) const;

  ComputeType type_ = ComputeType::kF32;
  PanelKernel kernel_ = nullptr;
  Combine combine_ = Combine::kStore;
  int64_t in_ = 0, out_ = 0;
  int64_t words_ = 0;      // of a row
  int64_t row_bytes_ = 0;  // of a row, converted
  int64_t stride_ = 0;     // of converted rows, in bytes
  std::unique_ptr<const Packed> packed_;
};

}  // namespace tutti
