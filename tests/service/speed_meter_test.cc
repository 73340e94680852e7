#include "service/speed_meter.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tutti {
namespace {

using std::chrono::seconds;

const SpeedMeter::Time kEpoch = SpeedMeter::Time() + std::chrono::hours(1);

TEST(SpeedMeterTest, GuessesBeforeAnythingWasMeasured) { EXPECT_DOUBLE_EQ(SpeedMeter().XRealTime(kEpoch), 10); }

TEST(SpeedMeterTest, MeasuresAudioPerSecondOfWork) {
  SpeedMeter meter;
  meter.SetBusy(true, kEpoch);
  for (int i = 1; i <= 300; ++i) meter.Finished(50, kEpoch + seconds(i));
  EXPECT_NEAR(meter.XRealTime(kEpoch + seconds(300)), 50, 1);
}

TEST(SpeedMeterTest, APauseDoesNotCount) {
  SpeedMeter meter;
  meter.SetBusy(true, kEpoch);
  meter.Finished(500, kEpoch + seconds(10));
  meter.SetBusy(false, kEpoch + seconds(10));
  const double before = meter.XRealTime(kEpoch + seconds(10));
  EXPECT_DOUBLE_EQ(meter.XRealTime(kEpoch + seconds(10'000)), before);
  meter.SetBusy(true, kEpoch + seconds(10'000));
  EXPECT_LT(meter.XRealTime(kEpoch + seconds(10'005)), before);
}

TEST(SpeedMeterTest, TheLastMinuteCountsMost) {
  SpeedMeter meter;
  meter.SetBusy(true, kEpoch);
  for (int i = 1; i <= 1000; ++i) meter.Finished(100, kEpoch + seconds(i));
  for (int i = 1001; i <= 1180; ++i) meter.Finished(10, kEpoch + seconds(i));
  EXPECT_NEAR(meter.XRealTime(kEpoch + seconds(1180)), 10 + 90 * std::exp(-3), 2);
}

TEST(SpeedMeterTest, StaysAboveZeroWhenNothingIsFinishedForHours) {
  SpeedMeter meter;
  meter.SetBusy(true, kEpoch);
  EXPECT_GT(meter.XRealTime(kEpoch + std::chrono::hours(10)), 0);
}

TEST(SpeedMeterTest, TimesInTheWrongOrderDoNoHarm) {
  SpeedMeter meter;
  meter.SetBusy(true, kEpoch + seconds(5));
  meter.Finished(-3, kEpoch);
  EXPECT_NEAR(meter.XRealTime(kEpoch), 10, 1e-9);
}

}  // namespace
}  // namespace tutti
