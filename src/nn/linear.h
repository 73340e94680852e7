#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "nn/weight_arena.h"
#include "nn/weight_matrix.h"
#include "nn/workspace.h"
#include "tutti/compute_type.h"

namespace tutti {

struct LinearOptions {
  bool relu = false;                     // y = max(0, x·Wᵀ + b)
  bool accumulate = false;               // y += x·Wᵀ + b; not together with relu
  ComputeType type = ComputeType::kF32;  // of the product, not kAuto; one that this CPU lacks falls back to f32
  WeightArena* arena = nullptr;          // where packed weights go; null: memory of the layer's own
};

// y[rows, out] = x[rows, in] · Wᵀ + b, f32 in and out, whatever number type the product runs in.
//
// A row's result depends neither on its neighbours nor on how many there are, to the last bit.
//
// Immutable after Create; safe from any thread, each with its own Workspace.
class Linear {
 public:
  Linear();  // empty: assign a created one before Run
  ~Linear();
  Linear(Linear&&) noexcept;
  Linear& operator=(Linear&&) noexcept;

  // weights [out, in], bias [out] or null; both are copied into the packed layout, in the options' type whichever type
  // they come in. Weights with an owner may be used where they are. Internal on failure of oneDNN.
  static absl::StatusOr<Linear> Create(const WeightMatrix& weights, const float* bias, int64_t out, int64_t in,
                                       LinearOptions options = {});
  static absl::StatusOr<Linear> Create(const float* weights, const float* bias, int64_t out, int64_t in,
                                       LinearOptions options = {}) {
    return Create(WeightMatrix{.data = weights}, bias, out, in, options);
  }

  int64_t in() const;
  int64_t out() const;

  // x [rows, in], y [rows, out], dense; they may not overlap.
  void Run(const float* x, int64_t rows, float* y, Workspace& workspace) const;
  // The same with rows x_stride and y_stride floats apart; y_stride is the width or RowStride of it.
  void Run(const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride, Workspace& workspace) const;
  // The same, to the last bit, with the workspace's team at work on different outputs of all rows: for few rows, whose
  // product takes as long as reading the weights does. Where that cannot be, one thread does it.
  void RunByOutputs(const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride,
                    Workspace& workspace) const;

  // Whether Weights can be asked: not where oneDNN keeps them in an order of its own.
  bool has_weights() const;
  // The weights of output o, [in], as they are multiplied by: rounded to the product's type.
  void Weights(int64_t o, float* weights) const;

  // The distance, in floats, at which rows of `width` between two layers are best kept: a little more than a power of
  // two, so that neighbouring rows do not share a few places of the first cache, where this CPU's products allow it.
  static int64_t RowStride(ComputeType type, int64_t width);

  // How many rows are best taken through consecutive layers together: few enough that what lies between the layers
  // stays in a near cache, enough that reading weights does not take longer than multiplying by them.
  static int64_t BlockRows();

 private:
  struct Impl;
  explicit Linear(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace tutti
