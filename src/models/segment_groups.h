#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace tutti {

// Consecutive segments of a ragged batch that go through a layer together: as many as stay within `rows`, one at least,
// so that what a layer holds of them is small. Allocates nothing.
//
//   SegmentGroups groups(offsets, 512);
//   while (groups.Next()) …
class SegmentGroups {
 public:
  // `offsets` outlive it.
  SegmentGroups(std::span<const int64_t> offsets, int64_t rows) : of_all_(offsets), most_rows_(rows) {}

  // False when there is no other group.
  bool Next() {
    const auto segments = static_cast<int64_t>(of_all_.size()) - 1;
    first_ = end_;
    if (first_ >= segments) return false;
    size_t size = 0;
    while (end_ < segments && size < kMostSegments && (size == 0 || At(end_ + 1) - At(first_) <= most_rows_)) {
      ++end_;
      offsets_[++size] = At(end_) - At(first_);
    }
    return true;
  }

  int64_t first() const { return first_; }  // segment
  int64_t end() const { return end_; }      // one past the last
  int64_t first_row() const { return At(first_); }
  int64_t rows() const { return At(end_) - At(first_); }
  // Of the group's own rows: offsets()[0] = 0.
  std::span<const int64_t> offsets() const { return {offsets_.data(), static_cast<size_t>(end_ - first_) + 1}; }

 private:
  static constexpr size_t kMostSegments = 64;

  int64_t At(int64_t segment) const { return of_all_[static_cast<size_t>(segment)]; }

  const std::span<const int64_t> of_all_;
  const int64_t most_rows_;
  int64_t first_ = 0, end_ = 0;
  std::array<int64_t, kMostSegments + 1> offsets_ = {};
};

}  // namespace tutti
