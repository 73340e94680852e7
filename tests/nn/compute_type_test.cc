#include "tutti/compute_type.h"

#include <gtest/gtest.h>

#include "nn/matrix_product.h"

namespace tutti {
namespace {

TEST(ComputeTypeTest, NamesGoBothWays) {
  for (const ComputeType type : {ComputeType::kAuto, ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8}) {
    const auto parsed = ParseComputeType(Name(type));
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(*parsed, type);
  }
  const auto unknown = ParseComputeType("fp16");
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(unknown.status().message().find("expected auto, f32, bf16 or int8"), std::string::npos);
}

// The table of docs/performance.md. ctest runs this once more with ONEDNN_MAX_CPU_ISA set to each of its rows.
TEST(ComputeTypeTest, FallsBackAsTheTableSays) {
  struct Row {
    std::string_view isa;
    ComputeType automatic, bf16, int8;
  };
  using enum ComputeType;
  const Row table[] = {
      {"generic", kF32, kF32, kF32},
      {"SSE41", kF32, kF32, kF32},
      {"AVX", kF32, kF32, kF32},
      {"AVX2", kF32, kF32, kInt8},
      {"AVX2_VNNI", kInt8, kF32, kInt8},
      {"AVX512_CORE", kF32, kF32, kInt8},
      {"AVX512_CORE_VNNI", kInt8, kF32, kInt8},
      {"AVX512_CORE_BF16", kInt8, kBf16, kInt8},
      {"AVX512_CORE_AMX", kInt8, kBf16, kInt8},
  };
  const std::string_view isa = DetectProductIsa().name;
  bool found = false;
  for (const Row& row : table) {
    if (row.isa != isa) continue;
    found = true;
    constexpr AccuracyGuard kAll = {.bf16 = true, .int8 = true}, kNoInt8 = {.bf16 = true};
    EXPECT_EQ(ResolveComputeType(kF32, kAll), kF32);
    EXPECT_EQ(ResolveComputeType(kAuto, kAll), row.automatic) << isa;
    EXPECT_EQ(ResolveComputeType(kAuto, kNoInt8), DetectProductIsa().fast_bf16 ? row.bf16 : kF32) << isa;
    EXPECT_EQ(ResolveComputeType(kAuto, {}), kF32) << isa;
    for (const AccuracyGuard guard : {kAll, AccuracyGuard()}) {  // who asks gets what the CPU has
      EXPECT_EQ(ResolveComputeType(kBf16, guard), row.bf16) << isa;
      EXPECT_EQ(ResolveComputeType(kInt8, guard), row.int8) << isa;
    }
  }
  EXPECT_TRUE(found) << isa;
}

}  // namespace
}  // namespace tutti
