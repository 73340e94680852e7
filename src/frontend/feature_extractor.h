#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tutti {

// What turns a segment's samples into the rows that a recogniser network reads. Implementations are immutable; safe
// from any thread.
class FeatureExtractor {
 public:
  virtual ~FeatureExtractor() = default;

  virtual int64_t width() const = 0;                // floats in a row
  virtual double row_ms() const = 0;                // audio that a row stands for
  virtual int64_t Rows(int64_t samples) const = 0;  // of so many samples at 16 kHz
  // Appends Rows(samples.size()) rows. Samples are 16 kHz mono in [-1, 1]; values that are not finite count as 0.
  virtual void Compute(std::span<const float> samples, std::vector<float>& rows) const = 0;
};

}  // namespace tutti
