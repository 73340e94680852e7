// A worker in steady state allocates no memory of its own. This binary counts every operator new; it is apart from the
// others for that.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>
#include <span>
#include <vector>

#include "models/synthetic.h"
#include "tests/support/random.h"

namespace {

std::atomic<int64_t> allocations = 0, large_allocations = 0;

// oneDNN makes the list of a product's arguments anew for each call: a handful of nodes of at most this many bytes.
constexpr size_t kArgumentBytes = 1024;

void* Count(size_t size, size_t alignment) {
  ++allocations;
  if (size > kArgumentBytes) ++large_allocations;
  void* memory = nullptr;
  if (posix_memalign(&memory, std::max(alignment, sizeof(void*)), size) != 0) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t size) { return Count(size, alignof(std::max_align_t)); }
void* operator new(size_t size, std::align_val_t alignment) { return Count(size, static_cast<size_t>(alignment)); }

// gcc that inlines only one of the pair takes it for a mismatch (-Wmismatched-new-delete).
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace tutti {
namespace {

constexpr ParaformerDims kDims = {
    .width = 64, .heads = 2, .hidden = 128, .encoder_blocks = 3, .decoder_layers = 2, .taps = 11, .vocabulary = 50};

class SteadyStateTest : public ::testing::TestWithParam<ComputeType> {};

TEST_P(SteadyStateTest, ABatchNoLargerThanTheLastNeedsNoMemory) {
  const auto model = MakeSyntheticParaformer(kDims, 1, GetParam());
  ASSERT_TRUE(model.ok()) << model.status();
  const std::vector<int64_t> offsets = {0, 60, 60, 227, 300, 700};
  const int64_t width = (*model)->frontend()->width();
  const auto features = testing::RandomFloats(offsets.back() * width, 1);
  std::vector<Hypothesis> hypotheses(offsets.size() - 1);
  Workspace workspace;
  const auto recognise = [&](size_t segments) {
    const int64_t before = allocations, large_before = large_allocations;
    (*model)->Recognise({features.data(), width, std::span(offsets).first(segments + 1)}, workspace,
                        std::span(hypotheses).first(segments));
    return std::pair(allocations - before, large_allocations - large_before);
  };
  recognise(5);  // the scratch memory grows,
  recognise(5);  // and becomes one block
  const size_t capacity = workspace.capacity();
  const auto [small, large] = recognise(5);
  EXPECT_EQ(large, 0) << "buffers of a batch come from the workspace";
  EXPECT_EQ(recognise(5), std::pair(small, large)) << "and a batch like another allocates like it";
  EXPECT_EQ(recognise(3).second, 0);
  EXPECT_EQ(workspace.capacity(), capacity);
  ASSERT_FALSE(hypotheses.back().ids.empty());
}

TEST_P(SteadyStateTest, AMinuteOfSpeechTakesLessScratchMemoryThanItsFeatures) {
  const auto model = MakeSyntheticParaformer(kDims, 1, GetParam());
  ASSERT_TRUE(model.ok()) << model.status();
  const std::vector<int64_t> offsets = {0, 250, 500, 750, 1000};
  const int64_t width = (*model)->frontend()->width();
  const auto features = testing::RandomFloats(offsets.back() * width, 1);
  std::vector<Hypothesis> hypotheses(offsets.size() - 1);
  Workspace workspace;
  for (int i = 0; i < 2; ++i) (*model)->Recognise({features.data(), width, offsets}, workspace, hypotheses);
  EXPECT_LT(workspace.touched(), features.size() * sizeof(float));
  EXPECT_GT(workspace.touched(), 0U);
}

INSTANTIATE_TEST_SUITE_P(ComputeTypes, SteadyStateTest,
                         ::testing::Values(ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8),
                         [](const auto& info) { return std::string(Name(info.param)); });

}  // namespace
}  // namespace tutti
