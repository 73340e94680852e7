#include "pipeline/merge_vad.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace tutti {

void PrintTo(const VadSegment& segment, std::ostream* out) {
  *out << "[" << segment.start_ms << ", " << segment.end_ms << "]";
}

namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

std::vector<VadSegment> SegmentsOf(const nlohmann::json& pairs) {
  std::vector<VadSegment> segments;
  for (const auto& pair : pairs) segments.push_back({pair.at(0), pair.at(1)});
  return segments;
}

TEST(MergeVadTest, GivesFunAsrsSegmentsOnEveryFixture) {
  std::ifstream file(TUTTI_SOURCE_DIR "/tests/data/fixtures/expected_text.json");
  const auto cases = nlohmann::json::parse(file).at("merge_vad_15000");
  ASSERT_EQ(cases.size(), 100u);
  for (const auto& one : cases) {
    EXPECT_THAT(MergeVad(SegmentsOf(one.at("in")), 15000), ElementsAreArray(SegmentsOf(one.at("out")))) << one;
  }
}

TEST(MergeVadTest, OneSegmentOrNoneStaysAsItIs) {
  EXPECT_THAT(MergeVad({}, 15000), IsEmpty());
  const VadSegment one[] = {{500, 90'000}};
  EXPECT_THAT(MergeVad(one, 15000), ElementsAre(one[0]));
}

TEST(MergeVadTest, JoinsUpToTheMaximumFromTheVeryBeginning) {
  const VadSegment segments[] = {{1000, 2000}, {3000, 9000}, {9500, 16'000}};
  EXPECT_THAT(MergeVad(segments, 10'000), ElementsAre(VadSegment{0, 9500}, VadSegment{9500, 16'000}));
}

}  // namespace
}  // namespace tutti
