#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/checkpoint/torch_file.h"

namespace tutti::torch_file {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kMagic = Pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");

std::string LegacyStorage(const Storage& storage, const std::string& view = "N") {
  return Tuple({Text("storage"), Global("torch", storage.type), Text(storage.key), Text("cpu"), Int(storage.numel),
                view}) +
         "Q";
}

std::string LegacyTensor(const std::string& storage, const std::vector<int64_t>& shape) {
  return Global("torch._utils", "_rebuild_tensor_v2") +
         Tuple({storage, Int(0), Ints(shape), Ints({1}), "\x89", OrderedDict()}) + "R";
}

std::string LegacyFile(const std::string& state_dict, const std::string& keys, const std::string& storages,
                       const std::string& little_endian = "\x88") {
  return kMagic + Pickle("M\xe9\x03") +
         Pickle(Dict({{"protocol_version", "M\xe9\x03"}, {"little_endian", little_endian}, {"type_sizes", Dict({})}})) +
         Pickle(state_dict) + Pickle("]("s + keys + "e") + storages;
}

std::string TwoTensors() {
  return LegacyFile(Dict({{"x", LegacyTensor(LegacyStorage({"FloatStorage", "11", 2}), {2})},
                          {"y", LegacyTensor(LegacyStorage({"HalfStorage", "22", 1}), {1})}}),
                    Text("22") + Text("11"),
                    Raw(int64_t{1}) + Raw(uint16_t{0x3c00}) + Raw(int64_t{2}) + RawAll<float>({3, 4}));
}

TEST(TorchLegacyTest, StoragesFollowThePicklesInTheOrderOfTheirKeys) {
  const auto checkpoint = Parse(TwoTensors());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(*(*checkpoint)->Floats("x", {2}), ElementsAre(3, 4));
  EXPECT_THAT(*(*checkpoint)->Floats("y", {1}), ElementsAre(1));
}

TEST(TorchLegacyTest, AFileCutAnywhereIsRefused) {
  const std::string file = TwoTensors();
  for (size_t length = 0; length < file.size(); ++length) {
    EXPECT_THAT(ParseError(file.substr(0, length)), HasSubstr("the file: ")) << length;
  }
}

TEST(TorchLegacyTest, AFlippedBitNeverLeavesTheFile) {
  std::string file = TwoTensors();
  int refused = 0;
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
    const auto checkpoint = Parse(file);
    if (checkpoint.ok()) {
      for (const auto& [name, view] : (*checkpoint)->tensors()) (*checkpoint)->Floats(name, view.shape).IgnoreError();
    }
    refused += checkpoint.ok() ? 0 : 1;
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
  }
  EXPECT_GT(refused, 1000);
}

TEST(TorchLegacyTest, WhatIsNotReadIsNamed) {
  const std::string storage = LegacyStorage({"FloatStorage", "1", 1});
  const std::string dict = Dict({{"x", LegacyTensor(storage, {1})}});
  const std::string data = Raw(int64_t{1}) + Raw(1.0f);
  EXPECT_THAT(ParseError(LegacyFile(dict, Text("1"), data, "\x89")), HasSubstr("little_endian"));
  EXPECT_THAT(ParseError(LegacyFile(dict, Text("2"), data)), HasSubstr("storage \"2\" belongs to no tensor"));
  EXPECT_THAT(ParseError(LegacyFile(dict, "", "")), HasSubstr("storage \"1\" is not in the file"));
  EXPECT_THAT(ParseError(LegacyFile(dict, Text("1"), Raw(int64_t{-1}) + Raw(1.0f))), HasSubstr("truncated"));
  const std::string view = LegacyStorage({"FloatStorage", "1", 1}, Tuple({Text("v"), Int(0), Int(1)}));
  EXPECT_THAT(ParseError(LegacyFile(Dict({{"x", LegacyTensor(view, {1})}}), Text("1"), data)), HasSubstr("is a view"));
  EXPECT_THAT(ParseError(Pickle("\x8a\x0a"
                                "0123456789")),
              HasSubstr("not of torch.save"));
}

}  // namespace
}  // namespace tutti::torch_file
