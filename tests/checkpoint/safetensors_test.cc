#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "checkpoint/tensor_table.h"

namespace tutti {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string File(const std::string& header, const std::string& data = "") {
  const auto size = static_cast<uint64_t>(header.size());
  return std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + header + data;
}
// The bytes end where a heap block ends, so that ASan sees a step beyond.
absl::StatusOr<std::shared_ptr<const Checkpoint>> Parse(const std::string& file) {
  const auto bytes = std::make_shared<std::vector<std::byte>>(file.size());
  if (!file.empty()) std::memcpy(bytes->data(), file.data(), file.size());
  return Checkpoint::Parse("model.safetensors", *bytes, bytes);
}
std::string Error(const std::string& file) {
  const auto checkpoint = Parse(file);
  return checkpoint.ok() ? "no error" : Message(checkpoint.status());
}

TEST(SafetensorsTest, TensorsAreReadWhereverTheyLie) {
  const float values[] = {1, 2, 3, 4};
  const std::string data(reinterpret_cast<const char*>(values), sizeof(values));
  const auto checkpoint = Parse(File(R"({"__metadata__": {"format": "pt"},
      "b": {"dtype": "F32", "shape": [1, 2], "data_offsets": [8, 16]},
      "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
      "half": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
      "scalar": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]},
      "none": {"dtype": "U8", "shape": [0], "data_offsets": [16, 16]}})",
                                     data));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ((*checkpoint)->tensors().size(), 5u);
  EXPECT_THAT(*(*checkpoint)->Floats("a", {2}), ElementsAre(1, 2));
  EXPECT_THAT(*(*checkpoint)->Floats("b", {1, 2}), ElementsAre(3, 4));
  EXPECT_THAT(*(*checkpoint)->Floats("half", {2}), ElementsAre(0, 1));
  EXPECT_EQ((*checkpoint)->Find("scalar")->dtype, DType::kI64);
  EXPECT_EQ((*checkpoint)->Find("none")->elements(), 0);
}

// A header's length may be any number, also one that another format begins with.
TEST(SafetensorsTest, TheLengthOfTheHeaderDoesNotMatter) {
  for (size_t size = 2; size < 600; ++size) {
    EXPECT_EQ(Error(File(fmt::format("{{{}}}", std::string(size - 2, ' ')))), "no error") << size;
  }
}

TEST(SafetensorsTest, AFileCutAnywhereIsRefused) {
  const std::string file = File(R"({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}})", "data");
  for (size_t size = 0; size < file.size(); ++size) EXPECT_NE(Error(file.substr(0, size)), "no error") << size;
  EXPECT_EQ(Error(file), "no error");
}

TEST(SafetensorsTest, WrongHeadersAreRefused) {
  EXPECT_THAT(Error(File("{]")), HasSubstr("model.safetensors: header: "));
  EXPECT_THAT(Error(File(fmt::format("{{\"a\":{}", std::string(1000, '[')))), HasSubstr("nested too deep"));
  const std::string huge(size_t{33} << 20, ' ');
  EXPECT_THAT(Error(File(fmt::format("{{{}", huge))), HasSubstr("at most 33554432 are allowed"));
}

TEST(SafetensorsTest, WrongTensorsAreRefusedByName) {
  const auto error = [](const char* entry) { return Error(File(fmt::format("{{\"x\": {}}}", entry), "12345678")); };
  EXPECT_EQ(error(R"({"dtype": "I8", "shape": [8], "data_offsets": [0, 8]})"), "no error");
  EXPECT_THAT(error("[]"), AllOf(HasSubstr("tensor \"x\": "), HasSubstr("expected an object")));
  EXPECT_THAT(error(R"({"shape": [8], "data_offsets": [0, 8]})"), HasSubstr("dtype: missing"));
  EXPECT_THAT(error(R"({"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]})"), HasSubstr("F8_E4M3"));
  EXPECT_THAT(error(R"({"dtype": "I8", "shape": [-8], "data_offsets": [0, 8]})"), HasSubstr("shape: found"));
  EXPECT_THAT(error(R"({"dtype": "I8", "shape": [18446744073709551615], "data_offsets": [0, 8]})"),
              HasSubstr("shape: found"));
  EXPECT_THAT(error(R"({"dtype": "I8", "shape": [4294967296, 4294967296], "data_offsets": [0, 8]})"),
              HasSubstr("beyond any file"));
  EXPECT_THAT(error(R"({"dtype": "I8", "shape": [1,1,1,1,1,1,1,1,1], "data_offsets": [0, 1]})"),
              HasSubstr("a list of at most 8"));
  EXPECT_THAT(error(R"({"dtype": "I8", "shape": [8], "data_offsets": [0]})"), HasSubstr("data_offsets: [0]"));
  EXPECT_THAT(error(R"({"dtype": "I8", "shape": [8], "data_offsets": [1, 9]})"),
              HasSubstr("data_offsets: [1, 9] of 8 bytes"));
  EXPECT_THAT(error(R"({"dtype": "I8", "shape": [0], "data_offsets": [5, 4]})"), HasSubstr("data_offsets: [5, 4]"));
  EXPECT_THAT(error(R"({"dtype": "F32", "shape": [1], "data_offsets": [0, 8]})"),
              HasSubstr("8 bytes, but [1] of f32 are 4"));
}

}  // namespace
}  // namespace tutti
