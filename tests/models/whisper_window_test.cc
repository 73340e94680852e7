#include "models/whisper_window.h"

#include <gtest/gtest.h>

namespace tutti {
namespace {

TEST(WhisperWindowTest, ByItselfIsTheShortestOfThreeThatHoldsTheSpeech) {
  const WhisperWindows windows(3000);
  EXPECT_EQ(windows.Held(0), 3000);
  EXPECT_EQ(windows.Heard(1, 0), 1500);
  EXPECT_EQ(windows.Heard(1500, 0), 1500);
  EXPECT_EQ(windows.Heard(1501, 0), 2000);
  EXPECT_EQ(windows.Heard(2001, 0), 3000);
  EXPECT_EQ(windows.Heard(3000, 0), 3000);
}

TEST(WhisperWindowTest, OfAGivenLengthIsHeardInThatLength) {
  const WhisperWindows windows(3000);
  for (const int seconds : {10, 15, 20, 30}) {
    EXPECT_TRUE(WhisperWindows::Check(seconds).ok());
    EXPECT_EQ(windows.Held(seconds), seconds * 100);
    EXPECT_EQ(windows.Heard(1, seconds), seconds * 100);
    EXPECT_EQ(windows.Heard(seconds * 100, seconds), seconds * 100);
  }
}

TEST(WhisperWindowTest, IsNeverLongerThanTheModels) {
  const WhisperWindows windows(1000);
  EXPECT_EQ(windows.Held(0), 1000);
  EXPECT_EQ(windows.Held(30), 1000);
  EXPECT_EQ(windows.Heard(3, 30), 1000);
  EXPECT_EQ(windows.Heard(501, 0), 666) << "frames go in pairs";
}

TEST(WhisperWindowTest, OtherLengthsAreRefused) {
  EXPECT_TRUE(WhisperWindows::Check(0).ok());
  for (const int seconds : {-1, 1, 9, 31}) {
    EXPECT_EQ(WhisperWindows::Check(seconds).code(), absl::StatusCode::kInvalidArgument) << seconds;
  }
}

}  // namespace
}  // namespace tutti
