#include "pipeline/cues.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string_view>

#include "base/text.h"

namespace tutti {
namespace {

// Characters of three or more bytes are nearly all as wide as two Latin ones.
int Columns(std::string_view text) {
  int columns = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) columns += byte >= 0xE0 ? 2 : 1;
  }
  return columns;
}

// Where each token begins in the segment's text; empty when a token is not there.
std::vector<size_t> TokenPlaces(const Segment& segment) {
  std::vector<size_t> places;
  size_t from = 0;
  for (const Token& token : segment.tokens) {
    const size_t place = segment.text.find(token.text, from);
    if (place == std::string::npos) return {};
    places.push_back(place);
    from = place + token.text.size();
  }
  return places;
}

constexpr std::string_view kClosers[] = {"\"", "'", ")", "]", "”", "’", "»", "」", "』", "）"};
constexpr std::string_view kSentenceEnds[] = {".", "?", "!", "…", "。", "？", "！", "؟", "।"};
constexpr std::string_view kClauseEnds[] = {",", ";", ":", "，", "、", "；", "：", "،"};
constexpr int64_t kPauseMs = 300;  // of speech, which is a better place than any mark
constexpr int kLeastPart = 4;      // of a full cue, as long as which a mark counts: "Mr." is no sentence

enum CutRank { kBetweenWords, kAfterClause, kAfterSentence };

std::string_view WithoutClosers(std::string_view text) {
  for (const std::string_view* closer = kClosers; closer != std::end(kClosers);) {
    const bool closes = text.ends_with(*closer);
    if (closes) text.remove_suffix(closer->size());
    closer = closes ? kClosers : closer + 1;
  }
  return text;
}

// How good it is to cut behind `text`, which a pause follows.
CutRank RankOfCut(std::string_view text, int64_t pause_ms, bool is_long_enough) {
  if (pause_ms >= kPauseMs) return kAfterSentence;
  if (!is_long_enough) return kBetweenWords;
  const std::string_view bare = WithoutClosers(text);
  const auto ends = [bare](std::string_view mark) { return bare.ends_with(mark); };
  if (std::ranges::any_of(kSentenceEnds, ends)) return kAfterSentence;
  return std::ranges::any_of(kClauseEnds, ends) ? kAfterClause : kBetweenWords;
}

}  // namespace

std::vector<Cue> MakeCues(const Segment& segment, int64_t max_ms, int max_columns) {
  if (WithoutSpacesAround(segment.text).empty()) return {};
  std::vector<Cue> whole = {{segment.start_ms, segment.end_ms, segment.text}};
  if (segment.end_ms - segment.start_ms <= max_ms && Columns(segment.text) <= max_columns) return whole;
  const auto& tokens = segment.tokens;
  const bool timed = std::all_of(tokens.begin(), tokens.end(), [](const Token& t) { return t.start_ms && t.end_ms; });
  const std::vector<size_t> places = TokenPlaces(segment);
  if (!timed || places.empty()) return whole;

  const auto text_between = [&](size_t first, size_t end) {
    const size_t from = first == 0 ? 0 : places[first];
    const size_t to = end == tokens.size() ? segment.text.size() : places[end];
    return WithoutSpacesAround(std::string_view(segment.text).substr(from, to - from));
  };
  const auto fits = [&](size_t begin, size_t end, int part) {
    return *tokens[end - 1].end_ms - *tokens[begin].start_ms <= max_ms / part &&
           Columns(text_between(begin, end)) <= max_columns / part;
  };
  // The last of the best places up to `most`.
  const auto place_of_cut = [&](size_t begin, size_t most) {
    size_t best = most;
    CutRank best_rank = kBetweenWords;
    for (size_t place = most; place > begin && best_rank < kAfterSentence; --place) {
      const int64_t pause_ms = *tokens[place].start_ms - *tokens[place - 1].end_ms;
      const bool is_long_enough = !fits(begin, place, kLeastPart);
      const CutRank rank = RankOfCut(text_between(begin, place), pause_ms, is_long_enough);
      if (rank > best_rank) {
        best = place;
        best_rank = rank;
      }
    }
    return best;
  };
  std::vector<Cue> cues;
  for (size_t begin = 0, end = 0; begin < tokens.size(); begin = end) {
    end = begin + 1;
    while (end < tokens.size() && fits(begin, end + 1, 1)) ++end;
    if (end < tokens.size()) end = place_of_cut(begin, end);
    cues.push_back({*tokens[begin].start_ms, *tokens[end - 1].end_ms, std::string(text_between(begin, end))});
  }
  return cues;
}

}  // namespace tutti
