#pragma once

#include <cstdint>
#include <vector>

namespace tutti {

// The sinusoidal position encoding of spec §5.1: positions count from 1, sines fill the first half of a row and cosines
// the second. Computed in the float steps of the reference, so long recordings agree with it too.
//
// The first rows come from a table, later ones are computed as they are asked for. Immutable; safe from any thread.
class PositionEncoding {
 public:
  explicit PositionEncoding(int64_t depth);  // even, at least 4

  // y[t] = scale · x[t] + encoding of t, for `rows` rows of one segment, of which the first is its row `first`. x == y
  // is allowed.
  void Apply(const float* x, int64_t first, int64_t rows, float scale, float* y) const;

 private:
  void Encode(int64_t row, float* encoding) const;

  const int64_t depth_;
  std::vector<float> rates_;  // radians per position, [depth / 2]
  std::vector<float> table_;  // [kTableRows, depth]
};

}  // namespace tutti
