// Lets ctest run a test binary as an older CPU would: with TUTTI_TEST_VECTOR_ISA=AVX2 Highway's kernels take their AVX2
// code (oneDNN has ONEDNN_MAX_CPU_ISA for the same). Linked into every test binary.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdlib>
#include <string>

namespace {

class LimitIsa : public ::testing::Environment {
 public:
  void SetUp() override {
    const char* limit = std::getenv("TUTTI_TEST_VECTOR_ISA");
    if (limit == nullptr) return;
    int64_t disabled = 0;
    bool known = false;
    // Better targets have lower bits: switch off all below the one asked for.
    for (int bit = 0; bit < 62 && !known; ++bit) {
      const int64_t target = int64_t{1} << bit;
      known = std::string(limit) == hwy::TargetName(target);
      if (!known) disabled |= target;
    }
    ASSERT_TRUE(known) << "TUTTI_TEST_VECTOR_ISA=" << limit << " is not a target this CPU has";
    hwy::DisableTargets(disabled);
    hwy::GetChosenTarget().DeInit();
  }
};

const auto* const kLimitIsa = ::testing::AddGlobalTestEnvironment(new LimitIsa);

}  // namespace
