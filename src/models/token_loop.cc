#include "models/token_loop.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace tutti {
namespace {

constexpr size_t kLongestPeriod = 32;

std::vector<int32_t> TextAmong(std::span<const int32_t> tokens, int32_t first_mark) {
  std::vector<int32_t> text;
  std::ranges::copy_if(tokens, std::back_inserter(text), [first_mark](int32_t token) { return token < first_mark; });
  return text;
}

// How many of the same `period` tokens there are in a row, from the first of `text` on.
size_t Repeats(std::span<const int32_t> text, size_t period) {
  size_t same = period;
  while (same < text.size() && text[same] == text[same - period]) ++same;
  return same / period;
}

}  // namespace

bool RunsInLoop(std::span<const int32_t> tokens, int32_t first_mark) {
  constexpr size_t kRepeats = 6, kTokens = 48;
  if (tokens.size() < kTokens) return false;
  std::vector<int32_t> text = TextAmong(tokens, first_mark);
  std::ranges::reverse(text);
  for (size_t period = 1; period <= kLongestPeriod && period * kRepeats <= text.size(); ++period) {
    const size_t repeats = Repeats(text, period);
    if (repeats >= kRepeats && repeats * period >= kTokens) return true;
  }
  return false;
}

std::vector<int32_t> CutLoops(std::span<const int32_t> tokens, int32_t first_mark) {
  constexpr size_t kRepeats = 4, kTokens = 12;
  const std::vector<int32_t> text = TextAmong(tokens, first_mark);
  std::vector<bool> stays(text.size(), true);
  for (size_t at = 0; at < text.size();) {
    size_t cut = 0, period = 1;
    for (; period <= kLongestPeriod && at + period * kRepeats <= text.size(); ++period) {
      const size_t repeats = Repeats(std::span(text).subspan(at), period);
      if (repeats < kRepeats || repeats * period < kTokens) continue;
      cut = (repeats - 1) * period;
      break;
    }
    if (cut == 0) {
      ++at;
      continue;
    }
    std::fill_n(stays.begin() + static_cast<std::ptrdiff_t>(at + period), cut, false);
    at += period + cut;
  }
  std::vector<int32_t> left;
  size_t next = 0;  // of the text
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool is_text = tokens[i] < first_mark;
    // A mark behind text ends it, another begins the next.
    const bool ends = !is_text && i > 0 && tokens[i - 1] < first_mark;
    const size_t of = ends ? next - 1 : next;
    if (of >= stays.size() || stays[of]) left.push_back(tokens[i]);
    if (is_text) ++next;
  }
  return left;
}

}  // namespace tutti
