#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "models/weight_source.h"
#include "nn/linear.h"
#include "nn/ops.h"

// What every network of the family is built of, each loaded by its checkpoint name.
namespace tutti {

// `name`.weight [out, in] and, unless `bias` is false, `name`.bias [out].
struct LinearShape {
  int64_t out = 0;
  int64_t in = 0;
  bool bias = true;
};
absl::StatusOr<Linear> LoadLinear(const WeightSource& source, std::string_view name, LinearShape shape,
                                  LinearOptions options = {});

// `name`.weight and `name`.bias, [width] each. Immutable after Load.
class Norm {
 public:
  Norm() = default;  // empty: assign a loaded one before Run
  static absl::StatusOr<Norm> Load(const WeightSource& source, std::string_view name, int64_t width, float eps);

  // x == y is allowed.
  void Run(const float* x, int64_t rows, float* y) const {
    LayerNorm(x, rows, static_cast<int64_t>(gamma_.size()), gamma_.data(), beta_.data(), eps_, y);
  }

 private:
  std::vector<float> gamma_, beta_;
  float eps_ = 0;
};

// FSMN memory over the rows of each segment; its kernel is `name`.weight [width, 1, taps]. Immutable after Load.
class Fsmn {
 public:
  Fsmn() = default;  // empty: assign a loaded one before Run
  static absl::StatusOr<Fsmn> Load(const WeightSource& source, std::string_view name, FsmnShape shape);

  // y [rows, width] = x + convolution of x, or += with `accumulate`; x has rows x_stride floats apart.
  void Run(const float* x, int64_t x_stride, std::span<const int64_t> offsets, bool accumulate, float* y) const {
    FsmnMemory(x, x_stride, offsets, shape_, kernel_.data(), accumulate, y, shape_.width);
  }

 private:
  FsmnShape shape_;
  std::vector<float> kernel_;  // tap-major [taps, width]
};

// Rows that pass through consecutive layers before the next rows do, so that what lies between the layers stays in the
// CPU's second cache. A multiple of Linear's tallest block.
inline constexpr int64_t kRowBlock = 96;

// body(first, count) for each block of rows.
template <typename Body>
void ForRowBlocks(int64_t rows, Body body) {
  for (int64_t first = 0; first < rows; first += kRowBlock) body(first, std::min(kRowBlock, rows - first));
}

}  // namespace tutti
