#include "pipeline/merge_vad.h"

#include <algorithm>

namespace tutti {

std::vector<VadSegment> MergeVad(std::span<const VadSegment> segments, int64_t max_length_ms) {
  if (segments.size() <= 1) return {segments.begin(), segments.end()};
  std::vector<int64_t> borders;
  borders.reserve(2 * segments.size());
  for (const VadSegment& segment : segments) {
    borders.push_back(segment.start_ms);
    borders.push_back(segment.end_ms);
  }
  std::sort(borders.begin(), borders.end());
  borders.erase(std::unique(borders.begin(), borders.end()), borders.end());

  std::vector<VadSegment> merged;
  int64_t begin = 0;  // as FunASR: the first stretch takes in what comes before the speech
  for (size_t i = 0; i + 1 < borders.size(); ++i) {
    if (borders[i + 1] - begin < max_length_ms) continue;
    if (borders[i] > begin) merged.push_back({begin, borders[i]});
    begin = borders[i];
  }
  merged.push_back({begin, borders.back()});
  return merged;
}

}  // namespace tutti
