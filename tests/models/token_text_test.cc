#include "models/token_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/asr.h"

namespace tutti {
namespace {

std::vector<std::string> Words(const SegmentText& text) {
  std::vector<std::string> words;
  for (const TextUnit& unit : text.units) words.push_back(unit.text);
  return words;
}

std::string Text(const std::vector<std::string>& tokens) {
  std::vector<ScoredToken> scored;
  for (const std::string& token : tokens) scored.push_back({token, -1, -1, -1});
  return TextFromTokens(scored, false).text;
}

TEST(TokenTextTest, AgreesWithTheReferenceWithAndWithoutTimes) {
  const auto cases = testing::ReadJson(testing::kFixtures + "expected_text.json")["sentence_postprocess"];
  ASSERT_EQ(cases.size(), 300U);
  for (const auto& expected : cases) {
    const std::vector<std::string> tokens = expected["tokens"];
    std::vector<ScoredToken> scored, timed;
    size_t next_time = 0;  // the fixture has times for ordinary tokens only
    for (const std::string& token : tokens) {
      scored.push_back({token, -1, -1, -1});
      timed.push_back({token, -1, -1, -1});
      if (std::set<std::string>{"<s>", "</s>", "<unk>", "<OOV>"}.contains(token)) continue;
      const auto& time = expected["ts_in"].at(next_time++);
      timed.back().start_ms = time[0];
      timed.back().end_ms = time[1];
    }
    const SegmentText plain = TextFromTokens(scored, false), spaced = TextFromTokens(timed, true);
    ASSERT_EQ(plain.text, expected["text"].get<std::string>()) << expected["tokens"];
    ASSERT_EQ(Words(plain), expected["words"].get<std::vector<std::string>>()) << expected["tokens"];
    ASSERT_EQ(spaced.text, expected["ts_text"].get<std::string>()) << expected["tokens"];
    ASSERT_EQ(Words(spaced), expected["ts_words"].get<std::vector<std::string>>()) << expected["tokens"];
    nlohmann::json times = nlohmann::json::array();
    for (const TextUnit& unit : spaced.units) times.push_back({unit.start_ms, unit.end_ms});
    ASSERT_EQ(times, expected["ts_out"]) << expected["tokens"];
  }
}

TEST(TokenTextTest, SingleLettersBecomeOneAbbreviation) {
  EXPECT_EQ(Text({"我", "爱", "py@@", "thon", "哈", "n", "b", "a", "吧"}), "我爱python哈NBA吧");
  EXPECT_EQ(Text({"a", "b", "hello", "c"}), "AB hello c");
}

TEST(TokenTextTest, AUnitScoresTheMeanOfItsTokens) {
  const std::vector<ScoredToken> tokens = {{"py@@", -1, 0, 10}, {"thon", -2, 10, 20}, {"好", -4, 20, 30}};
  const SegmentText text = TextFromTokens(tokens, true);
  ASSERT_EQ(text.units.size(), 2U);
  EXPECT_EQ(text.units[0].score, -1.5F);
  EXPECT_EQ(text.units[0].start_ms, 0);
  EXPECT_EQ(text.units[0].end_ms, 20);
  EXPECT_EQ(text.units[1].score, -4);
}

TEST(TokenTextTest, WhatIsNeitherChineseNorAWordStandsAloneWithItsTimes) {
  const std::vector<ScoredToken> tokens = {{"ok", 0, 0, 10}, {"%", 0, 10, 20}, {"好", 0, 20, 30}};
  const SegmentText text = TextFromTokens(tokens, true);
  EXPECT_EQ(text.text, "ok % 好");
  EXPECT_EQ(text.units[1].start_ms, 10);
  EXPECT_EQ(text.units[2].end_ms, 30);
}

TEST(TokenTextTest, WordsOfOtherScriptsAreWords) {
  EXPECT_EQ(Text({"caf@@", "é", "мир", "你"}), "café мир你");
  EXPECT_EQ(Text({"你", "，", "好"}), "你，好");
}

TEST(TokenTextTest, MalformedUtf8PassesThrough) {
  for (const char* bytes : {"\xff", "\xe4\xbd", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "a\x80", "\xe4"}) {
    EXPECT_EQ(Text({"你", bytes, "好"}), "你" + std::string(bytes) + "好");
  }
}

TEST(TokenTextTest, NothingComesOfNothing) {
  EXPECT_EQ(Text({}), "");
  EXPECT_EQ(Text({"", "<s>", "<unk>", "hel@@"}), "");
  EXPECT_EQ(Text({"@@"}), "@@");  // '@' counts as Chinese
}

}  // namespace
}  // namespace tutti
