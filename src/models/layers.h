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
#include "nn/team.h"

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

// Rows of a block that passes through consecutive layers before the next one does. When the threads of the workspace's
// team share `rows`, blocks are as even as multiples of 16 allow.
inline int64_t RowBlock(int64_t rows, const Workspace& workspace) {
  const int64_t most = Linear::BlockRows(), size = TeamSize(workspace);
  if (size == 1) return most;
  constexpr int64_t kStep = 16;
  return std::clamp(((rows + size - 1) / size + kStep - 1) / kStep * kStep, kStep, most);
}

// body(first, count, workspace) for each block of rows, of RowBlock rows at most, over the workspace's team. Blocks
// run in any order, each with the workspace of its thread.
template <typename Body>
void ForRowBlocks(int64_t rows, Workspace& workspace, const Body& body) {
  const int64_t block = RowBlock(rows, workspace);
  ForEach((rows + block - 1) / block, workspace,
          [&](int64_t i, Workspace& of_thread) { body(i * block, std::min(block, rows - i * block), of_thread); });
}

// Whether a team does better to share a product's outputs than its rows.
inline bool AreFew(int64_t rows, const Workspace& workspace) {
  constexpr int64_t kFew = 64;
  return rows <= kFew && TeamSize(workspace) > 1;
}

// linear.Run over the workspace's team.
inline void RunShared(const Linear& linear, const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride,
                      Workspace& workspace) {
  if (TeamSize(workspace) == 1) return linear.Run(x, x_stride, rows, y, y_stride, workspace);
  if (AreFew(rows, workspace)) return linear.RunByOutputs(x, x_stride, rows, y, y_stride, workspace);
  ForRowBlocks(rows, workspace, [&](int64_t first, int64_t count, Workspace& scratch) {
    linear.Run(x + first * x_stride, x_stride, count, y + first * y_stride, y_stride, scratch);
  });
}
inline void RunShared(const Linear& linear, const float* x, int64_t rows, float* y, Workspace& workspace) {
  RunShared(linear, x, linear.in(), rows, y, linear.out(), workspace);
}

}  // namespace tutti
