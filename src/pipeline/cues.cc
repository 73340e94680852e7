#include "pipeline/cues.h"

#include <algorithm>
#include <cstddef>
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
  std::vector<Cue> cues;
  size_t first = 0;
  for (size_t i = 1; i <= tokens.size(); ++i) {
    if (i < tokens.size() && *tokens[i].end_ms - *tokens[first].start_ms <= max_ms &&
        Columns(text_between(first, i + 1)) <= max_columns) {
      continue;
    }
    cues.push_back({*tokens[first].start_ms, *tokens[i - 1].end_ms, std::string(text_between(first, i))});
    first = i;
  }
  return cues;
}

}  // namespace tutti
