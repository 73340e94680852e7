#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"

namespace tutti {

// The filters that take `source_rate` to 16 kHz: windowed sinc exactly as torchaudio's Resample with its defaults
// (spec §1). Immutable, safe from any thread; shared by the streams of that rate.
//
// torchaudio gives every phase 2 · width + o taps, of which only those within ±6 zero crossings are not zero: 34 of
// 475 for 44.1 kHz. Only these are kept, with the place of the first, so that cost and memory follow the filter's width
// and an odd rate (g = 1) costs some MB, not gigabytes.
class ResampleFilter {
 public:
  // InvalidArgument outside 1 kHz … 768 kHz.
  static absl::StatusOr<std::shared_ptr<const ResampleFilter>> Create(int source_rate);

  int source_rate() const { return source_rate_; }

 private:
  friend class Resampler;
  ResampleFilter() = default;

  int source_rate_ = 0;
  int64_t in_step_ = 1;              // o: inputs consumed per group of outputs
  int64_t phases_ = 1;               // n: outputs per group
  int64_t taps_ = 0;                 // per phase; a multiple of the longest vector, filled up with zeros
  std::vector<int64_t> first_taps_;  // [phases]: input of the first tap, relative to the group's first input
  std::vector<float> kernels_;       // [phases, taps]
};

// One channel's resampling in pieces; the concatenation equals resampling the whole at once, bit for bit.
// 16 kHz passes through untouched. Not thread-safe.
class Resampler {
 public:
  explicit Resampler(std::shared_ptr<const ResampleFilter> filter);

  // Appends the outputs that are complete. With `is_final` all that remain: ceil(16000/rate · inputs) in all; nothing
  // may follow.
  void Accept(std::span<const float> samples, bool is_final, std::vector<float>& out);

 private:
  // Input of the first tap of output `index`.
  int64_t FirstTap(int64_t index) const;
  // Outputs, from the first on, whose taps all lie before input `end`.
  int64_t OutputsBefore(int64_t end) const;

  const std::shared_ptr<const ResampleFilter> filter_;
  std::vector<float> carry_;
  int64_t consumed_ = 0;  // inputs seen in all
  int64_t produced_ = 0;  // outputs in all
  int64_t first_ = 0;     // absolute index of carry_[0]
};

}  // namespace tutti
