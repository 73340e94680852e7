#include "models/whisper_segments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>

#include "tests/support/whisper.h"

namespace tutti {
namespace {

using testing::kWhisperTiny;
using testing::ReadJson;
using testing::TinyWhisperVocabulary;

using Parts = std::vector<std::tuple<std::vector<int32_t>, int64_t, int64_t>>;

// The id of a time; words of the fixture's vocabulary are 0 to 556.
int32_t Time(double seconds) { return 573 + static_cast<int32_t>(std::lround(seconds / 0.02)); }

Parts Divide(const std::vector<int32_t>& found, int64_t window_ms = 10'000) {
  Parts stretches;
  for (const auto& [words, start_ms, end_ms] : DivideByTimes(found, TinyWhisperVocabulary(), window_ms)) {
    stretches.emplace_back(words, start_ms, end_ms);
  }
  return stretches;
}

TEST(WhisperSegmentsTest, DividesAsTheReferenceDoes) {
  const auto expected = ReadJson(kWhisperTiny + "expected.json");
  size_t several = 0;
  for (const std::string clip : {"clip_a", "clip_b"}) {
    for (const auto& timed : expected[clip]["timed"]) {
      const int64_t window_ms = expected[clip]["align"]["frames"].get<int64_t>() * 10;
      const auto found = Divide(timed["found"], window_ms);
      Parts divided;
      for (const auto& part : timed["divided"]) {
        // The reference lets random times be anywhere.
        const auto ms = [&](const char* name) {
          return std::min<int64_t>(std::lround(part[name].get<double>() * 1000), window_ms);
        };
        if (!part["tokens"].empty()) divided.emplace_back(part["tokens"], ms("start"), ms("end"));
      }
      ASSERT_GE(found.size(), divided.size()) << timed;
      // Text behind the last pair the reference leaves out.
      EXPECT_EQ(Parts(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(divided.size())), divided);
      several += divided.size() > 1 ? 1 : 0;
    }
  }
  EXPECT_GT(several, 5U);
}

TEST(WhisperSegmentsTest, TextWithoutTimesIsTheWholeWindow) {
  EXPECT_EQ(Divide({5, 6}), (Parts{{{5, 6}, 0, 10'000}}));
  EXPECT_EQ(Divide({}), Parts());
}

TEST(WhisperSegmentsTest, NoTextIsLost) {
  EXPECT_EQ(Divide({Time(0.5), 5, Time(1), Time(1.2), 6, 7}), (Parts{{{5}, 500, 1000}, {{6, 7}, 1200, 10'000}}));
  EXPECT_EQ(Divide({Time(0.5), 5, Time(1), Time(1), 6, Time(2)}), (Parts{{{5}, 500, 1000}, {{6}, 1000, 2000}}));
  EXPECT_EQ(Divide({Time(0.5), 5}), (Parts{{{5}, 0, 10'000}})) << "a time before the words is not their end";
}

TEST(WhisperSegmentsTest, StretchesWithoutWordsAreNone) {
  EXPECT_EQ(Divide({Time(0), Time(1), Time(1), 5, Time(2), Time(2)}), (Parts{{{5}, 1000, 2000}}));
  EXPECT_EQ(Divide({Time(0), Time(1)}), Parts());
}

TEST(WhisperSegmentsTest, TimesAreWithinTheWindowAndDoNotDecrease) {
  EXPECT_EQ(Divide({Time(1), 5, Time(4), Time(4), 6, Time(8)}, 3000), (Parts{{{5}, 1000, 3000}, {{6}, 3000, 3000}}));
  // What no rule would let pass.
  EXPECT_EQ(Divide({Time(3), 5, Time(2), Time(1), 6, Time(0.5)}), (Parts{{{5}, 3000, 3000}, {{6}, 3000, 3000}}));
}

}  // namespace
}  // namespace tutti
