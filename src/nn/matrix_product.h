#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "nn/quantise.h"
#include "nn/weight_matrix.h"
#include "nn/workspace.h"

namespace tutti {

// y[rows, out] = x[rows, in] · Wᵀ by oneDNN; the only class that knows it. By the type of the weights:
//   f32   x f32, y f32, y = Combine(x·Wᵀ + bias)
//   bf16  x bf16, y f32, the same
//   int8  x u8, y s32, the bare sums; neither bias nor Combine
//
// Rows run in blocks of fixed heights whose results agree to the last bit, so a row's result depends neither on its
// neighbours nor on how many there are. Every primitive is made by Create; Run makes none.
//
// Immutable after Create; safe from any thread, each with its own Workspace.
class MatrixProduct {
 public:
  MatrixProduct();  // empty: assign a created one before Run
  ~MatrixProduct();
  MatrixProduct(MatrixProduct&&) noexcept;
  MatrixProduct& operator=(MatrixProduct&&) noexcept;

  // Packs the weights [out, in] into the layout that the products want. bias [out] is copied, null for none. Internal
  // on failure of oneDNN.
  static absl::StatusOr<MatrixProduct> Create(const WeightMatrix& weights, const float* bias, int64_t out, int64_t in,
                                              Combine combine);

  int64_t in() const;
  int64_t out() const;

  // Dense; x and y may not overlap.
  void Run(const void* x, int64_t rows, void* y, Workspace& workspace) const;

 private:
  struct Impl;
  explicit MatrixProduct(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

// What oneDNN makes of this CPU, within ONEDNN_MAX_CPU_ISA.
struct ProductIsa {
  const char* name;  // as oneDNN names it: "AVX512_CORE_BF16"
  bool avx512;
  bool int8;  // u8·s8 products run at all
  bool vnni;  // and are summed in 32 bits at once
  bool bf16;  // bf16 products in hardware
  bool amx;   // products of tiles, int8 and bf16
  // bf16 products faster than f32 ones: by tiles, or by vectors where the CPU is not Intel's, whose vdpbf16ps takes
  // longer than the two products in f32 that it stands for.
  bool fast_bf16;
};
ProductIsa DetectProductIsa();

// Operations (a multiply-add is two) per second that oneDNN reaches on one thread for products of this type and shape,
// all rows at once: the roof that `tutti bench` compares with. 0 where oneDNN cannot.
double MeasureProductRoof(ComputeType type, int64_t rows, int64_t in, int64_t out, double seconds);

}  // namespace tutti
