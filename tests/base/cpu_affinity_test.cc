#include "base/cpu_affinity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/eventually.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(CpuAffinityTest, APinnedThreadMayRunOnItsCpuAlone) {
  const auto cpus = AllowedCpus();
  ASSERT_TRUE(cpus.ok()) << cpus.status();
  ASSERT_FALSE(cpus->empty());
  EXPECT_TRUE(std::ranges::is_sorted(*cpus));
  testing::Gate pinned;
  std::vector<int> seen;
  std::thread thread([&] {
    pinned.Wait();
    seen = AllowedCpus().value_or(std::vector<int>());
  });
  const absl::Status status = PinThread(thread, cpus->back());
  pinned.Open();
  thread.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(seen, ElementsAre(cpus->back()));
}

TEST(CpuAffinityTest, ACpuThatDoesNotExistIsRefusedWithTheReason) {
  testing::Gate done;
  std::thread thread([&] { done.Wait(); });
  const absl::Status missing = PinThread(thread, 65'000), negative = PinThread(thread, -1);
  done.Open();
  thread.join();
  EXPECT_THAT(std::string(missing.message()), HasSubstr("CPU 65000: Invalid argument"));
  EXPECT_THAT(std::string(negative.message()), HasSubstr("CPU -1"));
}

}  // namespace
}  // namespace tutti
