#include "checkpoint/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/checkpoint/torch_file.h"

namespace tutti::torch_file {
namespace {

using ::testing::HasSubstr;
using Kind = PickleValue::Kind;

absl::StatusOr<tutti::Pickle> ParseText(std::string_view text) {
  static constexpr std::string_view kAllowed[] = {"collections.OrderedDict", "a.b"};
  return ParsePickle({reinterpret_cast<const std::byte*>(text.data()), text.size()}, kAllowed);
}

std::string Error(const std::string& text) {
  const auto pickle = ParseText(text);
  return pickle.ok() ? "no error" : Message(pickle.status());
}

TEST(PickleTest, IntegersOfEveryWidthKeepTheirValue) {
  const std::pair<std::string, int64_t> cases[] = {
      {"K\xff", 255},       {"M\x01\x02", 513},         {"J\xfe\xff\xff\xff", -2},   {"\x8a\x00"s, 0},
      {"\x8a\x01\xff", -1}, {"\x8a\x02\xff\x00"s, 255}, {Int(INT64_MIN), INT64_MIN}, {Int(INT64_MAX), INT64_MAX}};
  for (const auto& [code, value] : cases) {
    const std::string text = torch_file::Pickle(code);
    const auto pickle = ParseText(text);
    ASSERT_TRUE(pickle.ok()) << pickle.status();
    EXPECT_EQ(pickle->root->kind, Kind::kInt);
    EXPECT_EQ(pickle->root->number, value);
    EXPECT_EQ(pickle->size, text.size());
  }
}

TEST(PickleTest, CallsAreRecordedAndNotMade) {
  const std::string text = torch_file::Pickle(Global("a", "b") + Tuple({Int(1), Text("x")}) + "R");
  const auto pickle = ParseText(text);
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  ASSERT_EQ(pickle->root->kind, Kind::kCall);
  EXPECT_EQ(pickle->root->items[0]->text, "a.b");
  EXPECT_EQ(pickle->root->items[1]->items.size(), 2u);
}

TEST(PickleTest, TheMemoGivesTheSameValueAgain) {
  const std::string text = torch_file::Pickle("}("s + Text("k") + "q\x05" + "h\x05" + "u");
  const auto pickle = ParseText(text);
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  EXPECT_EQ(pickle->root->items[0], pickle->root->items[1]);
  EXPECT_THAT(Error(torch_file::Pickle("h\x05")), HasSubstr("memo 5 was never written"));
  EXPECT_THAT(Error(torch_file::Pickle("Nr\xff\xff\xff\xff")), HasSubstr("memo"));
}

TEST(PickleTest, ADictMayHoldItself) {
  const std::string code = "}q\x01("s + Text("state_dict") + "h\x01" + "u";
  const std::string text = torch_file::Pickle(code);
  const auto pickle = ParseText(text);
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  EXPECT_EQ(FindKey(*pickle->root, "state_dict"), pickle->root);
  EXPECT_THAT(ParseError(File(code, {})), HasSubstr("found a dict, expected a tensor"));
}

TEST(PickleTest, ObjectStateOfADictIsSkipped) {
  const std::string text = torch_file::Pickle(OrderedDict() + Dict({{"_metadata", OrderedDict()}}) + "b");
  const auto pickle = ParseText(text);
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  EXPECT_EQ(pickle->root->kind, Kind::kDict);
  EXPECT_TRUE(pickle->root->items.empty());
}

TEST(PickleTest, EveryMalformedPickleIsRefusedWithItsPosition) {
  EXPECT_THAT(Error(""), HasSubstr("byte 0"));
  EXPECT_THAT(Error("\x80\x04N."), HasSubstr("pickle protocol 4, expected 2"));
  EXPECT_THAT(Error("\x80\x02\x95N."), HasSubstr("byte 2: unknown instruction 0x95"));
  EXPECT_THAT(Error("\x80\x02X\xff\xff\xff\xff."), HasSubstr("ends within an instruction"));
  EXPECT_THAT(Error("\x80\x02"
                    "ca\nb"),
              HasSubstr("ends within an instruction"));
  for (const char* code : {".", "(.", "t.", "\x87.", "N\x86.", "(\x85.", "NNs.", "}Ns.", "}(Nu.", "Na.", "e.", "R.",
                           "NNR.", "b.", "NNb.", "Q.", "q\x01.", "NN."}) {
    EXPECT_THAT(Error("\x80\x02"s + code), HasSubstr("byte ")) << code;
  }
}

TEST(PickleTest, AFloodOfValuesIsRefused) {
  EXPECT_THAT(Error("\x80\x02"s + std::string(3'000'000, 'N')), HasSubstr("more than 2000000 values"));
}

}  // namespace
}  // namespace tutti::torch_file
