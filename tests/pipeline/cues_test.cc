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
