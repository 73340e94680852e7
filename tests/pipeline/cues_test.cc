#include "pipeline/cues.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tutti {

bool operator==(const Cue& a, const Cue& b) {
  return a.start_ms == b.start_ms && a.end_ms == b.end_ms && a.text == b.text;
}

void PrintTo(const Cue& cue, std::ostream* out) {
  *out << cue.start_ms << "-" << cue.end_ms << " '" << cue.text << "'";
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Words of one second each, one after the other.
Segment Words(std::string text, std::initializer_list<const char*> words) {
  Segment segment{
      .start_ms = 0, .end_ms = static_cast<int64_t>(words.size()) * 1000, .text = std::move(text), .tokens = {}};
  for (const char* word : words) {
    const auto start = static_cast<int64_t>(segment.tokens.size()) * 1000;
    segment.tokens.push_back({.text = word, .start_ms = start, .end_ms = start + 1000});
  }
  return segment;
}

TEST(CuesTest, AShortSegmentIsOneCue) {
  EXPECT_THAT(MakeCues(Words("a b c", {"a", "b", "c"})), ElementsAre(Cue{0, 3000, "a b c"}));
}

TEST(CuesTest, ALongSegmentIsCutBetweenTokensAndKeepsItsOwnText) {
  EXPECT_THAT(MakeCues(Words("one, two. three; four.", {"one", "two", "three", "four"}), 2500),
              ElementsAre(Cue{0, 2000, "one, two."}, Cue{2000, 4000, "three; four."}));
}

TEST(CuesTest, ACueEndsAfterASentenceElseAfterAClauseWhereOneIsLongEnough) {
  EXPECT_THAT(MakeCues(Words("a b. c d e", {"a", "b", "c", "d", "e"}), 4000),
              ElementsAre(Cue{0, 2000, "a b."}, Cue{2000, 5000, "c d e"}));
  EXPECT_THAT(MakeCues(Words("a. b, c d e", {"a", "b", "c", "d", "e"}), 4000),
              ElementsAre(Cue{0, 2000, "a. b,"}, Cue{2000, 5000, "c d e"}))
      << "a second of four is not more than a part of a cue, as after Mr.";
  EXPECT_THAT(MakeCues(Words("a, b? c d e", {"a", "b", "c", "d", "e"}), 4000),
              ElementsAre(Cue{0, 2000, "a, b?"}, Cue{2000, 5000, "c d e"}));
  EXPECT_THAT(MakeCues(Words("a b. c, d e", {"a", "b", "c", "d", "e"}), 4000),
              ElementsAre(Cue{0, 2000, "a b."}, Cue{2000, 5000, "c, d e"}))
      << "a sentence before a clause";
  EXPECT_THAT(MakeCues(Words("“a b!” c d e", {"“a", "b!”", "c", "d", "e"}), 4000),
              ElementsAre(Cue{0, 2000, "“a b!”"}, Cue{2000, 5000, "c d e"}))
      << "with what closes it";
  EXPECT_THAT(MakeCues(Words("一二。三四五", {"一", "二", "三", "四", "五"}), 4000),
              ElementsAre(Cue{0, 2000, "一二。"}, Cue{2000, 5000, "三四五"}));
}

TEST(CuesTest, ACueEndsBeforeAPauseHoweverShortItIs) {
  Segment segment = Words("a b c d, e f", {"a", "b", "c", "d", "e", "f"});
  for (size_t i = 1; i < segment.tokens.size(); ++i) {
    *segment.tokens[i].start_ms += 300;
    *segment.tokens[i].end_ms += 300;
  }
  segment.end_ms += 300;
  EXPECT_THAT(MakeCues(segment, 5000), ElementsAre(Cue{0, 1000, "a"}, Cue{1300, 6300, "b c d, e f"}));
  for (Token& token : segment.tokens) {
    if (*token.start_ms > 0) *token.start_ms -= 1;
  }
  EXPECT_THAT(MakeCues(segment, 5000), ElementsAre(Cue{0, 4300, "a b c d,"}, Cue{4299, 6300, "e f"}))
      << "a shorter one is none";
}

TEST(CuesTest, WideCharactersCountTwoColumns) {
  EXPECT_THAT(MakeCues(Words("你好世界", {"你", "好", "世", "界"}), 60'000, 4),
              ElementsAre(Cue{0, 2000, "你好"}, Cue{2000, 4000, "世界"}));
}

TEST(CuesTest, ATokenLongerThanEveryLimitStandsAlone) {
  EXPECT_THAT(MakeCues(Words("abcdefgh i", {"abcdefgh", "i"}), 60'000, 4),
              ElementsAre(Cue{0, 1000, "abcdefgh"}, Cue{1000, 2000, "i"}));
}

TEST(CuesTest, WithoutTimesOrWithTokensThatAreNotInTheTextTheSegmentStaysWhole) {
  Segment untimed = Words("a b c", {"a", "b", "c"});
  untimed.tokens[1].end_ms.reset();
  EXPECT_THAT(MakeCues(untimed, 1000), ElementsAre(Cue{0, 3000, "a b c"}));
  EXPECT_THAT(MakeCues(Words("a b c", {"a", "x", "c"}), 1000), ElementsAre(Cue{0, 3000, "a b c"}));
}

TEST(CuesTest, ASegmentWithoutTextHasNoCue) { EXPECT_THAT(MakeCues(Words(" ", {})), IsEmpty()); }

}  // namespace
}  // namespace tutti
