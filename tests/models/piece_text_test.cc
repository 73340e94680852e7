#include "models/piece_text.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace tutti {
namespace {

SegmentText TextOf(std::initializer_list<std::string_view> pieces) {
  std::vector<ScoredToken> tokens;
  float score = 0;
  for (const std::string_view piece : pieces) tokens.push_back({piece, score -= 1, -1, -1});
  return TextFromPieces(tokens);
}

std::vector<std::string> Units(const SegmentText& text) {
  std::vector<std::string> units;
  for (const TextUnit& unit : text.units) units.push_back(unit.text);
  return units;
}

using Strings = std::vector<std::string>;

TEST(PieceTextTest, PiecesOfAWordJoinAndMarksAreSpaces) {
  const SegmentText text = TextOf({"▁the", "▁tri", "bal", "▁chief", "'", "s", "."});
  EXPECT_EQ(text.text, "the tribal chief's.");
  EXPECT_EQ(Units(text), (Strings{"the", "tribal", "chief's", "."}));
  EXPECT_FLOAT_EQ(text.units[1].score, -2.5F) << "the mean of its pieces";
}

TEST(PieceTextTest, ChineseCharactersStandAloneAndWithoutSpaces) {
  const SegmentText text = TextOf({"▁", "开", "放", "时间", "早", "上", "9", "点", "ok", "，"});
  EXPECT_EQ(text.text, "开放时间早上9点ok，");
  EXPECT_EQ(Units(text), (Strings{"开", "放", "时间", "早", "上", "9", "点", "ok", "，"}));
}

TEST(PieceTextTest, ABareMarkEndsAWord) {
  const SegmentText text = TextOf({"▁a", "▁", "b", "c"});
  EXPECT_EQ(text.text, "a bc");
  EXPECT_EQ(Units(text), (Strings{"a", "bc"}));
}

TEST(PieceTextTest, RichTagsAndControlPiecesAreNoText) {
  EXPECT_EQ(TextOf({"<|en|>", "<|HAPPY|>", "<|Speech|>", "<|withitn|>", "▁hello", "</s>", "<unk>"}).text, "hello");
  EXPECT_EQ(TextOf({"<|nospeech|>"}).text, "");
  EXPECT_EQ(TextOf({}).units.size(), 0U);
  EXPECT_EQ(TextOf({"<", "|", "<|>", "<|a|b|>"}).text, "<|<|><|a|b|>") << "what only looks like one stays";
}

}  // namespace
}  // namespace tutti
