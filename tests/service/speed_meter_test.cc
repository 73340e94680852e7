#include "service/speed_meter.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tutti {
namespace {

using std::chrono::seconds;

const SpeedMeter::Time kStart = SpeedMeter::Time() + std::chrono::hours(1);

TEST(SpeedMeterTest, GuessesBeforeAnythingWasMeasured) { EXPECT_DOUBLE_EQ(SpeedMeter().XRealTime(kStart), 10); }

TEST(SpeedMeterTest, MeasuresAudioPerSecondOfWork) {
  SpeedMeter meter;
  meter.SetBusy(true, kStart);
  for (int i = 1; i <= 300; ++i) meter.Finished(50, kStart + seconds(i));
  EXPECT_NEAR(meter.XRealTime(kStart + seconds(300)), 50, 1);
}

TEST(SpeedMeterTest, APauseDoesNotCount) {
  SpeedMeter meter;
  meter.SetBusy(true, kStart);
  meter.Finished(500, kStart + seconds(10));
  meter.SetBusy(false, kStart + seconds(10));
  const double before = meter.XRealTime(kStart + seconds(10));
  EXPECT_DOUBLE_EQ(meter.XRealTime(kStart + seconds(10'000)), before);
  meter.SetBusy(true, kStart + seconds(10'000));
  EXPECT_LT(meter.XRealTime(kStart + seconds(10'005)), before);
}

TEST(SpeedMeterTest, TheLastMinuteCountsMost) {
  SpeedMeter meter;
  meter.SetBusy(true, kStart);
  for (int i = 1; i <= 1000; ++i) meter.Finished(100, kStart + seconds(i));
  for (int i = 1001; i <= 1180; ++i) meter.Finished(10, kStart + seconds(i));
  EXPECT_NEAR(meter.XRealTime(kStart + seconds(1180)), 10 + 90 * std::exp(-3), 2);
}

TEST(SpeedMeterTest, StaysAboveZeroWhenNothingIsFinishedForHours) {
  SpeedMeter meter;
  meter.SetBusy(true, kStart);
  EXPECT_GT(meter.XRealTime(kStart + std::chrono::hours(10)), 0);
}

TEST(SpeedMeterTest, TimesInTheWrongOrderDoNoHarm) {
  SpeedMeter meter;
  meter.SetBusy(true, kStart + seconds(5));
  meter.Finished(-3, kStart);
  EXPECT_NEAR(meter.XRealTime(kStart), 10, 1e-9);
}

}  // namespace
}  // namespace tutti
