#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "nn/workspace.h"

namespace tutti {

struct LinearOptions {
  bool relu = false;        // y = max(0, x·Wᵀ + b)
  bool accumulate = false;  // y += x·Wᵀ + b; not together with relu
};

// y[rows, out] = x[rows, in] · Wᵀ + b in f32, by oneDNN (the only place that knows oneDNN).
//
// Rows run in blocks of fixed heights whose results agree to the last bit, so a row's result depends neither on its
// neighbours nor on how many there are.
//
// Immutable after Create; safe from any thread, each with its own Workspace.
class Linear {
 public:
  Linear();  // empty: assign a created one before Run
  ~Linear();
  Linear(Linear&&) noexcept;
  Linear& operator=(Linear&&) noexcept;

  // weight [out, in] row-major, bias [out] or null; both are copied into the packed layout. Internal on failure of
  // oneDNN.
  static absl::StatusOr<Linear> Create(const float* weight, const float* bias, int64_t out, int64_t in,
                                       LinearOptions options = {});

  int64_t in() const;
  int64_t out() const;

  // x [rows, in], y [rows, out], dense; they may not overlap.
  void Run(const float* x, int64_t rows, float* y, Workspace& workspace) const;

 private:
  struct Impl;
  explicit Linear(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

// The instruction set that oneDNN uses in this process, as it names it ("AVX512_CORE_BF16").
const char* LinearIsa();

// Multiply-adds per second, times two, that oneDNN reaches on one thread for [rows, in]·[in, out] in f32: the roof
// that `tutti bench` compares with.
double MeasureLinearRoof(int64_t rows, int64_t in, int64_t out, double seconds);

}  // namespace tutti
