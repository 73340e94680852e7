#include "checkpoint/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "checkpoint/half.h"
#include "tests/checkpoint/torch_file.h"

namespace tutti {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// By the definition of the format, with nothing in common with the code under test.
double HalfByDefinition(uint16_t half) {
  const int exponent = (half >> 10) & 31, fraction = half & 1023;
  const double sign = (half & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

TEST(TensorViewTest, HasNoElementsWhenOneSizeIsZeroHoweverLargeTheOthersAre) {
  constexpr int64_t kHuge = int64_t{1} << 62;
  EXPECT_EQ((TensorView{.shape = {kHuge, kHuge, 0}}.elements()), 0);
  EXPECT_EQ((TensorView{.shape = {0, kHuge, kHuge}}.elements()), 0);
  EXPECT_EQ((TensorView{.shape = {3, 2}}.elements()), 6);
}

TEST(HalfTest, EveryHalfBecomesTheFloatOfTheSameValue) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const double expected = HalfByDefinition(half);
    const float found = FloatFromHalf(half);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(found)) << bits;
    } else {
      ASSERT_EQ(found, expected) << bits;
    }
    ASSERT_EQ(std::signbit(found), (half & 0x8000) != 0) << bits;
  }
}

TEST(HalfTest, ABFloat16IsTheUpperHalfOfAFloat) {
  EXPECT_EQ(FloatFromBFloat16(0x3fc0), 1.5f);
  EXPECT_EQ(FloatFromBFloat16(0xff80), -INFINITY);
  EXPECT_EQ(FloatFromBFloat16(0x0001), 0x1p-133f);
}

Checkpoint OneTensor(DType dtype, std::vector<int64_t> shape, const std::byte* data) {
  return Checkpoint("weights.pt", {{"x", {dtype, std::move(shape), data}}}, {});
}

TEST(CheckpointTest, ATensorOfPartsIsTheirRowsOneAfterTheOther) {
  const float first[] = {1, 2}, zeros[] = {0, 0};
  const uint16_t second[] = {0x3fc0, 0x4000, 0xbf80, 0};
  const auto view = [](DType dtype, int64_t rows, const void* data) {
    return TensorView{.dtype = dtype, .shape = {rows, 2}, .data = static_cast<const std::byte*>(data)};
  };
  TensorView joined{.dtype = DType::kF32, .shape = {4, 2}};
  joined.parts = {view(DType::kF32, 1, first), view(DType::kBF16, 2, second), view(DType::kF32, 1, zeros)};
  const Checkpoint checkpoint("weights.pt", {{"x", joined}}, {});
  EXPECT_THAT(*checkpoint.Floats("x", {4, 2}), ElementsAre(1, 2, 1.5F, 2, -1, 0, 0, 0));
  EXPECT_FALSE(checkpoint.Floats("x", {3, 2}).ok());
  joined.parts[1].dtype = DType::kI16;
  EXPECT_THAT(Message(Checkpoint("weights.pt", {{"x", joined}}, {}).Floats("x", {4, 2}).status()),
              HasSubstr("tensor x is i16, expected f32"));
}

TEST(CheckpointTest, DataNeedNotBeAligned) {
  for (size_t shift = 0; shift < 8; ++shift) {
    std::vector<std::byte> bytes(shift + 16);
    const double values[] = {1.25, -3};
    std::memcpy(bytes.data() + shift, values, sizeof(values));
    EXPECT_THAT(*OneTensor(DType::kF64, {2}, bytes.data() + shift).Floats("x", {2}), ElementsAre(1.25f, -3));
    const float floats[] = {5, 6, 7, 8};
    std::memcpy(bytes.data() + shift, floats, sizeof(floats));
    EXPECT_THAT(*OneTensor(DType::kF32, {4}, bytes.data() + shift).Floats("x", {4}), ElementsAre(5, 6, 7, 8));
  }
}

TEST(CheckpointTest, AnUnexpectedShapeIsAnErrorThatNamesBoth) {
  const float data[6] = {};
  const Checkpoint checkpoint = OneTensor(DType::kF32, {2, 3}, reinterpret_cast<const std::byte*>(data));
  EXPECT_TRUE(checkpoint.Floats("x", {2, 3}).ok());
  EXPECT_TRUE(checkpoint.Floats("x", {-1, 3}).ok());
  EXPECT_THAT(Message(checkpoint.Floats("x", {3, 2}).status()),
              AllOf(HasSubstr("weights.pt"), HasSubstr("tensor x"), HasSubstr("[2, 3]"), HasSubstr("[3, 2]")));
  EXPECT_FALSE(checkpoint.Floats("x", {6}).ok());
  EXPECT_FALSE(checkpoint.Floats("x", {2, 3, 1}).ok());
}

TEST(CheckpointTest, AMissingTensorIsNamed) {
  const Checkpoint checkpoint = OneTensor(DType::kF32, {0}, nullptr);
  const absl::Status status = checkpoint.Floats("encoder.y", {1}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(status), AllOf(HasSubstr("weights.pt"), HasSubstr("encoder.y")));
  EXPECT_TRUE(checkpoint.Floats("x", {0})->empty());
}

TEST(CheckpointTest, AFileOfAnotherKindIsRefusedByItsFirstBytes) {
  EXPECT_THAT(torch_file::ParseError(""), HasSubstr("unknown weights file: 0 bytes"));
  EXPECT_THAT(torch_file::ParseError("<html>"), HasSubstr("3c 68 74 6d"));
  EXPECT_THAT(torch_file::ParseError("GGUF"), HasSubstr("GGUF"));
  EXPECT_EQ(Checkpoint::Open("/nowhere/model.pt").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace tutti
