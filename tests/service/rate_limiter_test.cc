#include "service/rate_limiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

namespace tutti {
namespace {

using std::chrono::duration;

const RateLimiter::Time kStart = RateLimiter::Time() + std::chrono::hours(1);

RateLimiter::Time After(double elapsed) {
  return kStart + std::chrono::duration_cast<RateLimiter::Time::duration>(duration<double>(elapsed));
}

TEST(RateLimiterTest, ABurstIsLetThroughAndThenOneAnInterval) {
  RateLimiter limiter(30, 3);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(limiter.Take("a", kStart).has_value());
  const auto wait = limiter.Take("a", kStart);
  ASSERT_TRUE(wait.has_value());
  EXPECT_DOUBLE_EQ(wait->count(), 2);
  EXPECT_TRUE(limiter.Take("a", After(1.9)).has_value());
  EXPECT_FALSE(limiter.Take("a", After(2.1)).has_value());
  EXPECT_TRUE(limiter.Take("a", After(2.1)).has_value());
}

TEST(RateLimiterTest, WhoComesBackWhenToldIsLetThrough) {
  RateLimiter limiter(7, 2);
  double now = 0;
  for (int i = 0; i < 100; ++i) {
    const auto wait = limiter.Take("a", After(now));
    if (!wait) continue;
    now += wait->count() + 1e-6;
    EXPECT_FALSE(limiter.Take("a", After(now)).has_value());
  }
}

TEST(RateLimiterTest, TenantsDoNotShareABucket) {
  RateLimiter limiter(1, 1);
  EXPECT_FALSE(limiter.Take("a", kStart).has_value());
  EXPECT_FALSE(limiter.Take("b", kStart).has_value());
  EXPECT_TRUE(limiter.Take("a", kStart).has_value());
}

TEST(RateLimiterTest, ZeroIsNoLimit) {
  RateLimiter limiter(0, 1);
  for (int i = 0; i < 1000; ++i) ASSERT_FALSE(limiter.Take("a", kStart).has_value());
  EXPECT_EQ(limiter.size(), 0u);
}

TEST(RateLimiterTest, ABurstBelowOneStillLetsSomethingThrough) {
  RateLimiter limiter(60, 0);
  EXPECT_FALSE(limiter.Take("a", kStart).has_value());
  EXPECT_TRUE(limiter.Take("a", kStart).has_value());
}

TEST(RateLimiterTest, ATimeBeforeTheLastNeitherGivesNorTakesTokens) {
  RateLimiter limiter(60, 1);
  EXPECT_FALSE(limiter.Take("a", After(10)).has_value());
  EXPECT_DOUBLE_EQ(limiter.Take("a", After(5))->count(), 1);
  EXPECT_TRUE(limiter.Take("a", After(10.5)).has_value());
  EXPECT_FALSE(limiter.Take("a", After(11)).has_value());
}

TEST(RateLimiterTest, FullBucketsAreForgottenAndSpentOnesAreNot) {
  RateLimiter limiter(60, 100);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(limiter.Take("guest " + std::to_string(i), kStart).has_value());
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(limiter.Take("busy", kStart).has_value());
  EXPECT_EQ(limiter.size(), 1001u);
  EXPECT_FALSE(limiter.Take("other", After(61)).has_value());
  EXPECT_EQ(limiter.size(), 2u) << "busy and other";
  for (int i = 0; i < 61; ++i) EXPECT_FALSE(limiter.Take("busy", After(61)).has_value());
  EXPECT_TRUE(limiter.Take("busy", After(61)).has_value());
}

TEST(RateLimiterTest, NoIntervalSeesMoreThanTheBurstAndTheRate) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    const double per_minute = std::uniform_real_distribution<double>(1, 600)(random);
    const double burst = std::uniform_real_distribution<double>(1, 20)(random);
    RateLimiter limiter(per_minute, burst);
    std::exponential_distribution<double> pause(per_minute / 60 * 3);
    std::vector<double> taken;
    double now = 0;
    for (int i = 0; i < 600; ++i) {
      now += i % 100 == 0 ? 60 : pause(random);
      if (!limiter.Take("a", After(now))) taken.push_back(now);
    }
    for (size_t from = 0; from < taken.size(); ++from) {
      for (size_t to = from; to < taken.size(); ++to) {
        const double allowed = burst + (taken[to] - taken[from]) * per_minute / 60;
        ASSERT_LE(static_cast<double>(to - from + 1), allowed + 1e-6);
      }
    }
  }
}

TEST(RateLimiterTest, ThreadsTogetherGetNoMoreThanTheBurst) {
  RateLimiter limiter(1, 500);
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 400; ++k) taken += limiter.Take("a", kStart) ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, 500);
}

TEST(RateLimiterTest, AChangedRateCountsAtOnceAndWhatWasSpentStaysSpent) {
  RateLimiter limiter(0, 1);
  EXPECT_FALSE(limiter.Take("a", kStart));
  limiter.SetRate(60, 2);
  EXPECT_FALSE(limiter.Take("a", kStart));
  EXPECT_FALSE(limiter.Take("a", kStart));
  EXPECT_TRUE(limiter.Take("a", kStart));
  limiter.SetRate(60, 5);
  EXPECT_TRUE(limiter.Take("a", kStart));
  EXPECT_FALSE(limiter.Take("a", After(1)));
  limiter.SetRate(0, 1);
  EXPECT_FALSE(limiter.Take("a", After(1)));
}

}  // namespace
}  // namespace tutti
