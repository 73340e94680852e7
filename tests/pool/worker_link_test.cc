#include "pool/worker_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace tutti {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

TEST(LogTail, GivesWholeLinesAsTheyComeAndKeepsTheLast) {
  std::vector<std::string> lines;
  const auto keep = [&lines](std::string_view line) { lines.emplace_back(line); };
  LogTail tail;
  tail.Add("one\ntw", keep);
  tail.Add("o\nthr", keep);
  EXPECT_THAT(lines, ElementsAre("one", "two"));
  EXPECT_EQ(tail.Text(), "one | two | thr");
}

TEST(LogTail, HoldsOnlySoMuchOfAProcessThatNeverStopsTalking) {
  LogTail tail;
  for (int i = 0; i < 10'000; ++i) tail.Add(std::string(1000, 'x'), nullptr);
  EXPECT_LT(tail.Text().size(), 10'000U);
}

TEST(WorkerHealth, SilenceIsAComplaintAndASignOfLifeEndsIt) {
  PoolOptions options;
  options.silence = milliseconds(1000);
  WorkerHealth health;
  health.Advance(milliseconds(900));
  health.Beat();
  health.Advance(milliseconds(900));
  EXPECT_EQ(health.Complaint(options, 0), std::nullopt);
  health.Advance(milliseconds(200));
  EXPECT_EQ(health.Complaint(options, 0), "gave no sign of life for 1.0 s");
}

TEST(WorkerHealth, ALiveWorkerThatGetsNothingDoneIsAComplaintAfterATimeByItsAudio) {
  PoolOptions options;
  options.silence = milliseconds(1'000'000);
  options.stall = milliseconds(1000);
  options.stall_per_audio = 2;
  WorkerHealth health;
  health.Progress(5);
  health.Advance(milliseconds(2500));
  EXPECT_EQ(health.Complaint(options, 1000), std::nullopt);
  health.Progress(5);
  health.Advance(milliseconds(1000));
  EXPECT_EQ(health.Complaint(options, 1000), "got on with nothing for 3.0 s");
  health.Progress(6);
  EXPECT_EQ(health.Complaint(options, 1000), std::nullopt);
}

TEST(BackOff, DoublesUpToItsLongest) {
  PoolOptions options;
  options.first_back_off = milliseconds(50);
  options.longest_back_off = milliseconds(300);
  EXPECT_EQ(BackOff(options, 1), milliseconds(50));
  EXPECT_EQ(BackOff(options, 2), milliseconds(100));
  EXPECT_EQ(BackOff(options, 3), milliseconds(200));
  EXPECT_EQ(BackOff(options, 4), milliseconds(300));
  EXPECT_EQ(BackOff(options, 1000), milliseconds(300));
}

TEST(DescribeEnd, TellsSignalCodeAndWantOfMemory) {
  EXPECT_EQ(DescribeEnd(SIGSEGV), "was killed by signal 11 (SIGSEGV, Segmentation fault)");
  EXPECT_EQ(DescribeEnd(3 << 8), "ended with code 3");
  EXPECT_EQ(DescribeEnd(12 << 8), "ran out of memory");
}

}  // namespace
}  // namespace tutti
