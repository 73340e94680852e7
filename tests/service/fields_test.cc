#include "service/fields.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "service/api_error.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Fields Query(std::string_view query) {
  Fields fields;
  EXPECT_TRUE(fields.AddQuery(query).ok()) << query;
  return fields;
}

// The field that an error is about.
std::string ParamOf(const absl::Status& status) {
  const auto json = nlohmann::json::parse(ErrorJson(status), nullptr, false);
  return json["error"]["param"].is_string() ? json["error"]["param"].get<std::string>() : "";
}

TEST(FieldsTest, AQueryIsDecodedAndTheLastValueCounts) {
  const Fields fields = Query("a=1&&b=x%26y+z&a=2&c&=d&e=1=2");
  EXPECT_EQ(fields.Text("a"), "2");
  EXPECT_THAT(fields.All("a"), ElementsAre("1", "2"));
  EXPECT_EQ(fields.Text("b"), "x&y z");
  EXPECT_TRUE(fields.Has("c"));
  EXPECT_EQ(fields.Text("c", "otherwise"), "");
  EXPECT_EQ(fields.Text(""), "d");
  EXPECT_EQ(fields.Text("e"), "1=2");
  EXPECT_EQ(fields.Text("f", "otherwise"), "otherwise");
}

TEST(FieldsTest, AMalformedQueryIsAnError) {
  Fields fields;
  EXPECT_EQ(fields.AddQuery("a=%").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(fields.AddQuery("%x=1").code(), absl::StatusCode::kInvalidArgument);
}

TEST(FieldsTest, AJsonObjectIsReadMemberByMember) {
  Fields fields;
  ASSERT_TRUE(fields.AddJson(R"({"a": "x", "b": 5, "c": true, "d": null, "e": ["1", 2, false], "f": -0.5})").ok());
  EXPECT_EQ(fields.Text("a"), "x");
  EXPECT_EQ(*fields.Integer("b", 0, 0, 9), 5);
  EXPECT_TRUE(*fields.Bool("c", false));
  EXPECT_FALSE(fields.Has("d"));
  EXPECT_THAT(fields.All("e"), ElementsAre("1", "2", "false"));
  EXPECT_EQ(*fields.Number("f", 0, -1, 1), -0.5);
}

TEST(FieldsTest, WhatIsNoFlatObjectIsRefused) {
  for (const char* text : {"", "[]", "1", "{", "null", "{\"a\": {}}", "{\"a\": [[1]]}", "{\"a\": [null]}", "{} {}"}) {
    EXPECT_EQ(Fields().AddJson(text).code(), absl::StatusCode::kInvalidArgument) << text;
  }
  Fields fields;
  EXPECT_EQ(ParamOf(fields.AddJson("{\"a\": {}}")), "a");
}

TEST(FieldsTest, ValuesOfTheWrongKindAreNamed) {
  const Fields fields = Query("n=1x&empty=&big=11&nan=nan&inf=inf&b=yes&c=Z&space=+1&huge=99999999999999999999");
  EXPECT_EQ(ParamOf(fields.Integer("n", 0, 0, 10).status()), "n");
  EXPECT_EQ(ParamOf(fields.Integer("empty", 0, 0, 10).status()), "empty");
  EXPECT_EQ(ParamOf(fields.Integer("big", 0, 0, 10).status()), "big");
  EXPECT_EQ(ParamOf(fields.Integer("huge", 0, 0, INT64_MAX).status()), "huge");
  EXPECT_EQ(ParamOf(fields.Integer("space", 0, 0, 10).status()), "space");
  EXPECT_EQ(ParamOf(fields.Number("nan", 0, 0, 10).status()), "nan");
  EXPECT_EQ(ParamOf(fields.Number("inf", 0, 0, 1e300).status()), "inf");
  EXPECT_EQ(ParamOf(fields.Bool("b", false).status()), "b");
  const absl::Status choice = fields.Choice("c", {"x", "y"}).status();
  EXPECT_EQ(ParamOf(choice), "c");
  EXPECT_THAT(std::string(choice.message()), HasSubstr("'Z', expected one of x, y"));
}

TEST(FieldsTest, BooleansAreTrueFalseOneAndZero) {
  for (const char* yes : {"true", "True", "TRUE", "1"}) EXPECT_TRUE(*Query("a=" + std::string(yes)).Bool("a", false));
  for (const char* no : {"false", "False", "0"}) EXPECT_FALSE(*Query("a=" + std::string(no)).Bool("a", true));
  EXPECT_TRUE(*Query("a=").Bool("a", true)) << "a form's empty field says nothing";
}

TEST(FieldsTest, WithoutAFieldTheDefaultCounts) {
  const Fields fields;
  EXPECT_EQ(*fields.Integer("a", 7, 0, 10), 7);
  EXPECT_EQ(*fields.Number("a", 0.5, 0, 1), 0.5);
  EXPECT_TRUE(*fields.Bool("a", true));
  EXPECT_EQ(*fields.Choice("a", {"x", "y"}), "x");
}

TEST(FieldsTest, AFieldThatNobodyAskedForIsRefused) {
  const Fields fields = Query("a=1&b=2&c=3");
  fields.Text("a");
  EXPECT_EQ(ParamOf(fields.RefuseUnknown()), "b");
  EXPECT_TRUE(fields.Has("b"));
  EXPECT_EQ(ParamOf(fields.RefuseUnknown()), "c");
  EXPECT_THAT(fields.All("c"), ElementsAre("3"));
  EXPECT_TRUE(fields.RefuseUnknown().ok());
}

TEST(FieldsTest, AsJsonTheyAreReadBack) {
  Fields back;
  ASSERT_TRUE(back.AddJson(Query("a=1&b=x%26y&a=2&a=3&c=").Json()).ok());
  EXPECT_THAT(back.All("a"), ElementsAre("1", "2", "3"));
  EXPECT_EQ(back.Text("b"), "x&y");
  EXPECT_TRUE(back.Has("c"));
}

TEST(FieldsTest, AllOfThemTogetherAreBounded) {
  Fields fields;
  ASSERT_TRUE(fields.Add("a", std::string(Fields::kMaxBytes - 2, 'x')).ok());
  EXPECT_TRUE(fields.Add("b", "").ok());
  EXPECT_EQ(fields.Add("", "x").code(), absl::StatusCode::kOutOfRange);
}

TEST(FieldsTest, IntegersInAndOutOfBoundsAreToldApart) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 1000; ++round) {
    const auto any = [&] { return static_cast<int64_t>(random()) >> (random() % 64); };
    const int64_t value = any(), least = any(), most = any();
    const auto read = Query(fmt::format("a={}", value)).Integer("a", 0, least, most);
    EXPECT_EQ(read.ok(), least <= value && value <= most) << value << " in " << least << " to " << most;
    EXPECT_EQ(read.value_or(value), value);
  }
}

}  // namespace
}  // namespace tutti
