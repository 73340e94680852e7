#include "models/piece_text.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace tutti {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581

bool IsTag(std::string_view piece) {
  return piece.size() >= 4 && piece.starts_with("<|") && piece.ends_with("|>") &&
         piece.substr(2, piece.size() - 4).find('|') == piece.npos;
}

bool IsText(std::string_view piece) {
  return !piece.empty() && piece != "<s>" && piece != "</s>" && piece != "<unk>" && !IsTag(piece);
}

bool IsWord(std::string_view text) {
  return std::ranges::all_of(text,
                             [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '\''; });
}

// The text of a piece with its marks turned to spaces.
std::string Spaced(std::string_view piece) {
  std::string text;
  while (!piece.empty()) {
    const bool space = piece.starts_with(kSpace);
    text += space ? ' ' : piece.front();
    piece.remove_prefix(space ? kSpace.size() : 1);
  }
  return text;
}

}  // namespace

SegmentText TextFromPieces(std::span<const ScoredToken> pieces) {
  SegmentText result;
  std::vector<int> counts;  // of the pieces in each unit
  bool joins = false;       // the next piece of letters goes on with the last unit
  for (const ScoredToken& piece : pieces) {
    if (!IsText(piece.text)) continue;
    const std::string spaced = Spaced(piece.text);
    const std::string_view text = WithoutSpacesAround(spaced);
    result.text += spaced;
    const bool word = IsWord(text);
    if (spaced.starts_with(' ')) joins = false;
    if (!text.empty() && word && joins) {
      TextUnit& unit = result.units.back();
      unit.text += text;
      unit.end_ms = piece.end_ms;
      unit.score += piece.score;
      ++counts.back();
    } else if (!text.empty()) {
      result.units.push_back({std::string(text), piece.start_ms, piece.end_ms, piece.score});
      counts.push_back(1);
    }
    joins = !text.empty() && word && !spaced.ends_with(' ');
  }
  for (size_t i = 0; i < counts.size(); ++i) result.units[i].score /= static_cast<float>(counts[i]);
  result.text = WithoutSpacesAround(result.text);
  return result;
}

}  // namespace tutti
