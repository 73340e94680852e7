#include "models/position_encoding.h"

#include <cmath>

namespace tutti {
namespace {

constexpr int64_t kTableRows = 1024;  // about a minute of speech; a longer segment is rare

}  // namespace

PositionEncoding::PositionEncoding(int64_t depth)
    : depth_(depth), rates_(static_cast<size_t>(depth / 2)), table_(static_cast<size_t>(kTableRows * depth)) {
  const int64_t last = depth / 2 - 1;
  const float step = std::log(10000.0F) / static_cast<float>(last);
  for (size_t i = 0; i < rates_.size(); ++i) rates_[i] = std::exp(static_cast<float>(i) * -step);
  for (int64_t row = 0; row < kTableRows; ++row) Encode(row, table_.data() + row * depth);
}

void PositionEncoding::Encode(int64_t row, float* encoding) const {
  for (const float rate : rates_) {
    const double angle = static_cast<float>(row + 1) * rate;
    encoding[0] = static_cast<float>(std::sin(angle));
    encoding[rates_.size()] = static_cast<float>(std::cos(angle));
    ++encoding;
  }
}

void PositionEncoding::Apply(const float* x, int64_t first, int64_t rows, float scale, float* y) const {
  std::vector<float> late(first + rows > kTableRows ? static_cast<size_t>(depth_) : 0);
  for (int64_t row = first; row < first + rows; ++row, x += depth_, y += depth_) {
    if (row >= kTableRows) Encode(row, late.data());
    const float* encoding = row < kTableRows ? table_.data() + row * depth_ : late.data();
    for (int64_t i = 0; i < depth_; ++i) y[i] = scale * x[i] + encoding[i];
  }
}

}  // namespace tutti
