#include "pipeline/text_join.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace tutti {
namespace {

std::string Joined(std::initializer_list<std::string_view> pieces) {
  std::string text;
  for (const std::string_view piece : pieces) AppendText(piece, text);
  return text;
}

TEST(TextJoinTest, WordsAreJoinedWithASpace) { EXPECT_EQ(Joined({"press one", "or two"}), "press one or two"); }

TEST(TextJoinTest, ChineseCharactersAreJoinedDirectly) { EXPECT_EQ(Joined({"你好", "世界"}), "你好世界"); }

TEST(TextJoinTest, ASpaceStandsBetweenChineseAndWords) {
  EXPECT_EQ(Joined({"你好", "world", "世界"}), "你好 world 世界");
}

TEST(TextJoinTest, TheRangeOfCjkIsU3400ToU9FFF) {
  EXPECT_EQ(Joined({"\u3400", "\u9FFF"}), "\u3400\u9FFF");
  EXPECT_EQ(Joined({"\u33FF", "\u4E00"}), "\u33FF \u4E00");
  EXPECT_EQ(Joined({"\u4E00", "\uA000"}), "\u4E00 \uA000");
}

TEST(TextJoinTest, EmptyPiecesAddNothing) {
  EXPECT_EQ(Joined({"", "a", "", "b", ""}), "a b");
  EXPECT_EQ(Joined({"", ""}), "");
}

TEST(TextJoinTest, BrokenUtf8IsKeptAndCountsAsNoCjk) {
  EXPECT_EQ(Joined({"\xE4\xBD", "\xBD"}), "\xE4\xBD \xBD");
  EXPECT_EQ(Joined({"你", "\xE4"}), "你 \xE4");
}

}  // namespace
}  // namespace tutti
