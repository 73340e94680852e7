#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "checkpoint/tensor_table.h"
#include "tests/checkpoint/ctranslate2_file.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

using ctranslate2_file::Alias;
using ctranslate2_file::File;
using ctranslate2_file::Header;
using ctranslate2_file::kBF16;
using ctranslate2_file::kF16;
using ctranslate2_file::kF32;
using ctranslate2_file::kI16;
using ctranslate2_file::kI32;
using ctranslate2_file::kI8;
using ctranslate2_file::Raw;
using ctranslate2_file::Variable;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kTiny = TUTTI_SOURCE_DIR "/tests/data/fixtures/whisper_tiny/model.bin";
const std::string kTinyInt8 = TUTTI_SOURCE_DIR "/tests/data/fixtures/whisper_tiny_int8/model.bin";

// The bytes end where a heap block ends, so that ASan sees a step beyond.
absl::StatusOr<std::shared_ptr<const Checkpoint>> Parse(const std::string& file) {
  const auto bytes = std::make_shared<std::vector<std::byte>>(file.size());
  if (!file.empty()) std::memcpy(bytes->data(), file.data(), file.size());
  return Checkpoint::Parse("model.bin", *bytes, bytes);
}
std::string Error(const std::string& file) {
  const auto checkpoint = Parse(file);
  return checkpoint.ok() ? "no error" : Message(checkpoint.status());
}

TEST(Ctranslate2Test, EveryTypeIsRead) {
  const auto checkpoint = Parse(File({
      Variable("f32", {2}, kF32, Raw(std::vector<float>{1.5F, -2})),
      Variable("f16", {1, 2}, kF16, Raw(std::vector<uint16_t>{0x3c00, 0xc000})),
      Variable("bf16", {2, 1}, kBF16, Raw(std::vector<uint16_t>{0x3f80, 0xc000})),
      Variable("scalar/i8", {}, kI8, Raw(int8_t{-7})),
      Variable("scalar/i16", {}, kI16, Raw(int16_t{300})),
      Variable("i32", {1}, kI32, Raw(int32_t{1 << 20})),
  }));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(*(*checkpoint)->Floats("f32", {2}), ElementsAre(1.5F, -2));
  EXPECT_THAT(*(*checkpoint)->Floats("f16", {1, 2}), ElementsAre(1, -2));
  EXPECT_THAT(*(*checkpoint)->Floats("bf16", {2, 1}), ElementsAre(1, -2));
  const TensorView i8 = *(*checkpoint)->Find("scalar/i8"), i16 = *(*checkpoint)->Find("scalar/i16");
  EXPECT_EQ(i8.dtype, DType::kI8);
  EXPECT_TRUE(i8.shape.empty());
  EXPECT_EQ(std::to_integer<int8_t>(*i8.data), -7);
  EXPECT_EQ(i16.dtype, DType::kI16);
  EXPECT_EQ(i16.bytes(), 2);
  EXPECT_EQ((*checkpoint)->Find("i32")->dtype, DType::kI32);
}

TEST(Ctranslate2Test, Int8RowsAreDividedByTheirScalesAndInt16ByTheOne) {
  const auto checkpoint = Parse(File({
      Variable("a/weight", {2, 2}, kI8, Raw(std::vector<int8_t>{127, -64, 2, 0})),
      Variable("a/weight_scale", {2}, kF32, Raw(std::vector<float>{127, 0.5F})),
      Variable("b/weight", {1, 1, 2}, kI16, Raw(std::vector<int16_t>{1024, -512})),
      Variable("b/weight_scale", {}, kF32, Raw(1024.0F)),
  }));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(*(*checkpoint)->Floats("a/weight", {2, 2}), ElementsAre(1, -64 * (1 / 127.0F), 4, 0));
  EXPECT_THAT(*(*checkpoint)->Floats("b/weight", {1, 1, 2}), ElementsAre(1, -0.5F));
  EXPECT_THAT(*(*checkpoint)->Floats("a/weight.scales", {2}), ElementsAre(1 / 127.0F, 2));
  EXPECT_FALSE((*checkpoint)->Has("a/weight_scale")) << "in one form, not in two";
}

TEST(Ctranslate2Test, AnAliasIsItsTargetAndHasItsScales) {
  const auto checkpoint = Parse(File({Variable("a/weight", {1, 1}, kI8, Raw(int8_t{3})),
                                      Variable("a/weight_scale", {1}, kF32, Raw(0.5F)), Variable("c", {}, kI8, "\1")},
                                     {Alias("b/weight", "a/weight"), Alias("d", "c")}));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(*(*checkpoint)->Floats("b/weight", {1, 1}), ElementsAre(6));
  EXPECT_EQ((*checkpoint)->Find("b/weight.scales")->data, (*checkpoint)->Find("a/weight.scales")->data);
  EXPECT_EQ((*checkpoint)->Find("d")->data, (*checkpoint)->Find("c")->data);
}

TEST(Ctranslate2Test, ReadsThePackageThatCTranslate2Wrote) {
  const auto checkpoint = Checkpoint::Open(kTiny);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT((*checkpoint)->Find("encoder/conv1/weight")->shape, ElementsAre(64, 80, 3));
  EXPECT_THAT((*checkpoint)->Find("decoder/layer_1/attention/linear_1/weight")->shape, ElementsAre(128, 64));
  EXPECT_EQ((*checkpoint)->Find("decoder/projection/weight")->data,
            (*checkpoint)->Find("decoder/embeddings/weight")->data);
  for (const auto& [name, view] : (*checkpoint)->tensors()) {
    if (view.shape.empty()) continue;
    const auto floats = (*checkpoint)->Floats(name, view.shape);
    ASSERT_TRUE(floats.ok()) << floats.status();
    for (const float value : *floats) ASSERT_LT(std::abs(value), 64) << name;
  }
}

// The f32 weights are numbers of half precision, so a copy in that type must give the same.
TEST(Ctranslate2Test, TheHalfPrecisionPackageIsTheSameWeights) {
  const auto original = Checkpoint::Open(kTiny);
  ASSERT_TRUE(original.ok()) << original.status();
  std::vector<std::string> variables;
  for (const auto& [name, view] : (*original)->tensors()) {
    if (view.dtype != DType::kF32) continue;
    const auto floats = *(*original)->Floats(name, view.shape);
    std::vector<uint16_t> halves;
    for (const float value : floats) {
      // Of a number that has a half: the sign, the exponent shifted, ten bits; below 2^-14 a multiple of 2^-24.
      const auto bits = std::bit_cast<uint32_t>(value);
      const uint32_t magnitude = bits & 0x7fffffff;
      const uint32_t half = magnitude < (113U << 23) ? static_cast<uint32_t>(std::abs(value) * 0x1p24F)
                                                     : (magnitude - (112U << 23)) >> 13;
      halves.push_back(static_cast<uint16_t>((bits >> 16 & 0x8000) | half));
    }
    variables.push_back(Variable(name, {view.shape.begin(), view.shape.end()}, kF16, Raw(halves)));
  }
  const auto narrow = Parse(File(variables));
  ASSERT_TRUE(narrow.ok()) << narrow.status();
  ASSERT_GT((*narrow)->tensors().size(), 60u);
  for (const auto& [name, view] : (*narrow)->tensors()) {
    EXPECT_EQ(*(*narrow)->Floats(name, view.shape), *(*original)->Floats(name, view.shape)) << name;
  }
}

TEST(Ctranslate2Test, TheQuantisedPackageIsTheSameWeightsWithinHalfAStep) {
  const auto exact = Checkpoint::Open(kTiny), narrow = Checkpoint::Open(kTinyInt8);
  ASSERT_TRUE(exact.ok() && narrow.ok()) << exact.status() << narrow.status();
  int matrices = 0;
  for (const auto& [name, view] : (*narrow)->tensors()) {
    if (view.dtype != DType::kI8 || view.shape.empty()) continue;
    ++matrices;
    const auto rows = static_cast<size_t>(view.shape[0]);
    const auto scales = *(*narrow)->Floats(name + kScalesSuffix, {view.shape[0]});
    const auto found = *(*narrow)->Floats(name, view.shape), expected = *(*exact)->Floats(name, view.shape);
    for (size_t i = 0; i < found.size(); ++i) {
      const float step = scales[i / (found.size() / rows)];
      ASSERT_LE(std::abs(found[i] - expected[i]), 0.501F * step) << name << " " << i;
    }
  }
  EXPECT_EQ(matrices, 26)
      << "4 of an encoder layer, 7 of a decoder layer, 2 convolutions, the embeddings under 2 names";
}

TEST(Ctranslate2Test, AFileCutAnywhereIsRefused) {
  const std::string file = File(
      {Variable("a/weight", {2, 1}, kI8, "ab"), Variable("a/weight_scale", {2}, kF32, Raw(std::vector<float>{1, 2}))},
      {Alias("b/weight", "a/weight")});
  for (size_t size = 0; size < file.size(); ++size) EXPECT_NE(Error(file.substr(0, size)), "no error") << size;
  EXPECT_EQ(Error(file), "no error");
  EXPECT_THAT(Error(file + "x"), HasSubstr("1 bytes behind the last alias"));
}

TEST(Ctranslate2Test, WrongHeadersAreRefused) {
  EXPECT_THAT(Error(Header(6, "TransformerSpec", 7) + Raw(uint32_t{0})),
              AllOf(HasSubstr("model.bin: "), HasSubstr("\"TransformerSpec\", revision 7; expected WhisperSpec")));
  EXPECT_THAT(Error(Header(6, "WhisperSpec", 4)), HasSubstr("revision 4; expected WhisperSpec, revision 3"));
  EXPECT_THAT(Error(Header(5)), HasSubstr("unknown weights file"));
  EXPECT_THAT(Error(Header() + Raw(uint32_t{1} << 31)), HasSubstr("2147483648 variables, at most"));
  EXPECT_THAT(Error(Header() + Raw(uint32_t{0}) + Raw(uint32_t{1} << 31)), HasSubstr("2147483648 aliases, at most"));
}

TEST(Ctranslate2Test, WrongVariablesAreRefusedByName) {
  const auto error = [](const std::string& variable) { return Error(File({variable})); };
  EXPECT_EQ(error(Variable("x", {0, 7}, kF32, "")), "no error");
  EXPECT_THAT(error(Variable("x", {1, 1, 1, 1, 1}, kF32, "1234")), HasSubstr("\"x\": 5 dimensions, at most 4"));
  EXPECT_THAT(error(Variable("x", {1}, 6, "1234")), HasSubstr("\"x\": type 6, expected 0 to 5"));
  EXPECT_THAT(error(Variable("x", {2}, kF32, "1234")), HasSubstr("\"x\": 4 bytes, but [2] of f32 are 8"));
  EXPECT_THAT(error(Variable("x", {~0U, ~0U, ~0U, ~0U}, kI8, "")), HasSubstr("beyond any file"));
  EXPECT_THAT(error(Variable("", {}, kI8, "1")), HasSubstr("the name of variable 0"));
  EXPECT_THAT(error(Variable(std::string(1024, 'x'), {}, kI8, "1")), HasSubstr("of 1025 bytes"));
  EXPECT_THAT(error(Variable(std::string("a\0b", 3), {}, kI8, "1")), HasSubstr("a NUL"));
  const std::string x = Variable("x", {}, kI8, "1");
  EXPECT_THAT(Error(File({x, x})), HasSubstr("\"x\": two of this name"));
}

TEST(Ctranslate2Test, WrongAliasesAreRefused) {
  const std::string x = Variable("x", {}, kI8, "1");
  EXPECT_THAT(Error(File({x}, {Alias("y", "z")})), HasSubstr("alias \"y\": no variable \"z\""));
  EXPECT_THAT(Error(File({x}, {Alias("x", "x")})), HasSubstr("alias \"x\": two variables"));
}

TEST(Ctranslate2Test, WrongScalesAreRefused) {
  const auto error = [](const std::vector<uint32_t>& shape, ctranslate2_file::Type type, const std::string& data) {
    return Error(File({Variable("w", {2, 1}, kI8, "ab"), Variable("w_scale", shape, type, data)}));
  };
  EXPECT_EQ(error({2}, kF32, Raw(std::vector<float>{1, 2})), "no error");
  EXPECT_THAT(error({1}, kF32, Raw(1.0F)), HasSubstr("\"w_scale\": f32 [1], expected f32, [2]"));
  EXPECT_THAT(error({2}, kF16, "1234"), HasSubstr("\"w_scale\": f16 [2], expected f32"));
  for (const float wrong : {0.0F, -1.0F, INFINITY, NAN, 1e-45F}) {
    EXPECT_THAT(error({2}, kF32, Raw(std::vector<float>{1, wrong})), HasSubstr("expected positive numbers")) << wrong;
  }
  EXPECT_THAT(Error(File({Variable("w", {1}, kI16, "ab"), Variable("w_scale", {2}, kF32, "12345678")})),
              HasSubstr("expected f32, one number"));
  EXPECT_THAT(Error(File({Variable("w", {1}, kI8, "a"), Variable("w_scale", {1}, kF32, Raw(1.0F)),
                          Variable("w.scales", {1}, kF32, Raw(1.0F))})),
              HasSubstr("\"w.scales\": two of this name"));
}

}  // namespace
}  // namespace tutti
