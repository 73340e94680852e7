#pragma once

#include <cstdint>
#include <vector>

#include "nn/weight_matrix.h"

namespace tutti {

// Rows of a weight matrix in another type, a few at a time, so that loading never holds a whole matrix twice. It keeps
// their bytes, and its memory for the next ones.
class WeightConverter {
 public:
  // Rows [first, first + count) of `from` [out, in], row-major and of type `to`; where they are that already, the
  // matrix's own bytes. Valid until the next call. With panels, `first` is the first of one.
  WeightMatrix Rows(const WeightMatrix& from, ComputeType to, int64_t first, int64_t count, int64_t in) &;

 private:
  std::vector<int8_t> rows_;  // of panels
  std::vector<float> f32_;
  std::vector<uint16_t> bf16_;
  std::vector<int8_t> int8_;
  std::vector<float> scales_;
};

}  // namespace tutti
