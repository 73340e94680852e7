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

// Segments whose rows lie wherever they are, each in one piece, or laid end to end: for those that read a batch segment
// by segment, so that nobody copies rows together for them.
//
// A view: owns nothing.
class ScatteredBatch {
 public:
  ScatteredBatch(const RaggedBatch& batch)  // NOLINT: a ragged batch is one
      : width_(batch.width), offsets_(batch.offsets), together_(batch.data) {}
  ScatteredBatch(const float* data, int64_t width, std::span<const int64_t> offsets)
      : ScatteredBatch(RaggedBatch{data, width, offsets}) {}
  // Segment i begins at starts[i] and has as many rows as the offsets say.
  ScatteredBatch(std::span<const float* const> starts, int64_t width, std::span<const int64_t> offsets)
      : width_(width), offsets_(offsets), starts_(starts) {}

  int64_t width() const { return width_; }
  std::span<const int64_t> offsets() const { return offsets_; }
  int64_t segments() const { return counts().segments(); }
  int64_t rows() const { return counts().rows(); }
  int64_t rows(int64_t segment) const { return counts().rows(segment); }
  const float* segment(int64_t i) const {
    const auto at = static_cast<size_t>(i);
    return starts_.empty() ? together_ + offsets_[at] * width_ : starts_[at];
  }

 private:
  RaggedBatch counts() const { return {nullptr, width_, offsets_}; }

  int64_t width_;
  std::span<const int64_t> offsets_;
  const float* together_ = nullptr;
  std::span<const float* const> starts_;  // empty: laid end to end
};

}  // namespace tutti
