#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "tutti/vad.h"

namespace tutti {

// From the time within a segment of joined speech to that within the recording, as faster-whisper finds its way back.
//
// `pieces` are the stretches of the recording that the segment was joined from, one at least, in order. Immutable.
class SpeechMap {
 public:
  explicit SpeechMap(std::vector<VadSegment> pieces) : pieces_(std::move(pieces)) {
    int64_t end_ms = 0;
    for (const VadSegment& piece : pieces_) ends_ms_.push_back(end_ms += piece.end_ms - piece.start_ms);
  }

  int64_t duration_ms() const { return ends_ms_.back(); }

  // A moment between two pieces is the beginning of the later one. What is behind the segment is its end.
  int64_t Start(int64_t ms) const {
    ms = std::min(ms, duration_ms());
    return InPiece(PieceOf(ms), ms);
  }
  // The same, but a moment between two pieces is the end of the earlier one.
  int64_t End(int64_t ms) const {
    ms = std::min(ms, duration_ms());
    const auto same = std::ranges::find(ends_ms_, ms);
    return InPiece(same != ends_ms_.end() ? static_cast<size_t>(same - ends_ms_.begin()) : PieceOf(ms), ms);
  }
  // A word is in one piece, that of its middle, and keeps its length.
  VadSegment Word(int64_t start_ms, int64_t end_ms) const {
    const size_t piece = PieceOf((start_ms + end_ms) / 2);
    return {InPiece(piece, start_ms), InPiece(piece, end_ms)};
  }

 private:
  // The last one for what is behind all.
  size_t PieceOf(int64_t ms) const {
    const auto after = std::ranges::upper_bound(ends_ms_, ms);
    return std::min(static_cast<size_t>(after - ends_ms_.begin()), ends_ms_.size() - 1);
  }
  int64_t InPiece(size_t piece, int64_t ms) const { return pieces_[piece].end_ms - (ends_ms_[piece] - ms); }

  std::vector<VadSegment> pieces_;
  std::vector<int64_t> ends_ms_;  // of the pieces, in the segment
};

}  // namespace tutti
