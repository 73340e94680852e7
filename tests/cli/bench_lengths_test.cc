#include "cli/bench_lengths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace tutti {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

double Sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

TEST(LengthMixTest, OneLengthFillsTheTotalAndGivesOneAtLeast) {
  const auto mix = LengthMix::Parse("fixed:10");
  ASSERT_TRUE(mix.ok()) << mix.status();
  EXPECT_THAT(mix->Draw(25), ElementsAre(10, 10));
  EXPECT_THAT(mix->Draw(4), ElementsAre(10));
}

TEST(LengthMixTest, UniformLengthsStayBetweenTheirEnds) {
  const auto mix = LengthMix::Parse("uniform:2:3");
  ASSERT_TRUE(mix.ok()) << mix.status();
  const auto lengths = mix->Draw(1000);
  EXPECT_THAT(lengths, Each(Ge(2)));
  EXPECT_THAT(lengths, Each(Le(3)));
  EXPECT_GE(Sum(lengths), 1000);
  EXPECT_LT(Sum(lengths), 1003);
}

TEST(LengthMixTest, ReadSentencesHaveTheirMedianAndMeetingsTheirRange) {
  auto sentences = LengthMix::Parse("aishell")->Draw(20000);
  std::sort(sentences.begin(), sentences.end());
  EXPECT_NEAR(sentences[sentences.size() / 2], 4.5, 0.2);
  const auto meeting = LengthMix::Parse("meeting")->Draw(20000);
  EXPECT_LT(*std::min_element(meeting.begin(), meeting.end()), 2);
  EXPECT_GT(*std::max_element(meeting.begin(), meeting.end()), 29);
}

TEST(LengthMixTest, TheSameMixGivesTheSameLengths) {
  EXPECT_EQ(LengthMix::Parse("aishell")->Draw(100), LengthMix::Parse("aishell")->Draw(100));
}

TEST(LengthMixTest, RefusesWhatIsNoLength) {
  for (const char* text : {"", "fixed", "fixed:", "fixed:x", "fixed:0", "fixed:nan", "uniform:1", "uniform:3:1",
                           "uniform:1:2:3", "aishell:1", "fixed:1 "}) {
    const auto mix = LengthMix::Parse(text);
    ASSERT_FALSE(mix.ok()) << text;
    EXPECT_THAT(std::string(mix.status().message()), HasSubstr("expected fixed:S"));
  }
}

}  // namespace
}  // namespace tutti
