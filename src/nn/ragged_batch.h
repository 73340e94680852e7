#pragma once

#include <cstdint>
#include <span>

namespace tutti {

// Rows of many segments laid end to end, without padding: segment i is rows offsets[i] … offsets[i+1]-1.
// offsets[0] = 0, ascending; an empty segment is allowed. Linear layers see one tall matrix [rows, width]; operators
// that look along time (attention, FSMN, convolution, CIF) walk the offsets and never cross them.
//
// A view: owns nothing; data and offsets outlive it.
struct RaggedBatch {
  const float* data = nullptr;  // [rows, width], row-major
  int64_t width = 0;
  std::span<const int64_t> offsets;

  int64_t segments() const { return offsets.empty() ? 0 : static_cast<int64_t>(offsets.size()) - 1; }
  int64_t rows() const { return offsets.empty() ? 0 : offsets.back(); }
  int64_t rows(int64_t segment) const {
    return offsets[static_cast<size_t>(segment) + 1] - offsets[static_cast<size_t>(segment)];
  }
  const float* segment(int64_t i) const { return data + offsets[static_cast<size_t>(i)] * width; }
};

}  // namespace tutti
