#include "engine/speech_map.h"

#include <gtest/gtest.h>

namespace tutti {
namespace {

// [0, 1000), [1000, 1500) and [1500, 3500) of the segment.
SpeechMap Joined() { return SpeechMap({{2000, 3000}, {5000, 5500}, {6000, 8000}}); }

TEST(SpeechMapTest, FindsTheWayBackFromJoinedSpeechToTheRecording) {
  const SpeechMap map = Joined();
  EXPECT_EQ(map.duration_ms(), 3500);
  EXPECT_EQ(map.Start(0), 2000);
  EXPECT_EQ(map.Start(999), 2999);
  EXPECT_EQ(map.Start(1400), 5400);
  EXPECT_EQ(map.End(3400), 7900);
}

TEST(SpeechMapTest, AMomentBetweenTwoPiecesBeginsTheLaterAndEndsTheEarlier) {
  const SpeechMap map = Joined();
  EXPECT_EQ(map.Start(1000), 5000);
  EXPECT_EQ(map.End(1000), 3000);
  EXPECT_EQ(map.Start(3500), 8000);
  EXPECT_EQ(map.End(3500), 8000);
  EXPECT_EQ(map.End(3501), 8000);
}

TEST(SpeechMapTest, AWordIsInThePieceOfItsMiddleAndKeepsItsLength) {
  const SpeechMap map = Joined();
  EXPECT_EQ(map.Word(100, 300), (VadSegment{2100, 2300}));
  EXPECT_EQ(map.Word(800, 1100), (VadSegment{2800, 3100}));
  EXPECT_EQ(map.Word(900, 1200), (VadSegment{4900, 5200}));
  EXPECT_EQ(map.Word(1000, 1000), (VadSegment{5000, 5000}));
}

TEST(SpeechMapTest, OfOnePieceIsADistance) {
  const SpeechMap map({{700, 900}});
  EXPECT_EQ(map.Start(50), 750);
  EXPECT_EQ(map.Word(0, 200), (VadSegment{700, 900}));
}

}  // namespace
}  // namespace tutti
