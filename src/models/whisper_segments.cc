#include "models/whisper_segments.h"

#include <algorithm>
#include <iterator>

namespace tutti {
namespace {

constexpr int64_t kTimeMs = 20;  // from one time to the next

}  // namespace

std::vector<WhisperStretch> DivideByTimes(std::span<const int32_t> found, const WhisperVocabulary& tokens,
                                          int64_t window_ms) {
  const auto is_time = [&](int32_t id) { return id >= tokens.first_time; };
  const auto in_window = [&](int32_t id) {
    return std::min((static_cast<int64_t>(id) - tokens.first_time) * kTimeMs, window_ms);
  };
  std::vector<size_t> ends;  // of the stretches' tokens
  for (size_t i = 1; i < found.size(); ++i) {
    if (is_time(found[i - 1]) && is_time(found[i])) ends.push_back(i);
  }
  const bool has_pairs = !ends.empty();
  if (ends.empty() || ends.back() < found.size()) ends.push_back(found.size());

  std::vector<WhisperStretch> stretches;
  int64_t reached_ms = 0;
  size_t first = 0;
  for (const size_t end : ends) {
    const auto own = found.subspan(first, end - first);
    first = end;
    WhisperStretch stretch;
    std::ranges::copy_if(own, std::back_inserter(stretch.words), [&](int32_t id) { return id < tokens.end; });
    if (stretch.words.empty()) continue;
    stretch.start_ms = has_pairs && is_time(own.front()) ? in_window(own.front()) : 0;
    const auto last = std::ranges::find_if(own.rbegin(), own.rend(), is_time);
    const bool has_end = has_pairs ? is_time(own.back())
                                   : last != own.rend() && *last != tokens.first_time && last.base() != own.begin() + 1;
    stretch.end_ms = has_end ? in_window(*last) : window_ms;
    stretch.start_ms = std::max(stretch.start_ms, reached_ms);
    stretch.end_ms = reached_ms = std::max(stretch.end_ms, stretch.start_ms);
    stretches.push_back(std::move(stretch));
  }
  return stretches;
}

}  // namespace tutti
