#include "tutti/search_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "engine/search_table.h"

namespace tutti {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(SearchOptionsTest, EachIsSetByItsName) {
  SearchOptions options;
  const std::pair<const char*, const char*> given[] = {
      {"language", "zh"},         {"task", "translate"},     {"beam_size", "3"},
      {"length_penalty", "-0.5"}, {"temperature", "0,0.25"}, {"condition_on_previous_text", "True"}};
  for (const auto& [name, value] : given) EXPECT_TRUE(SetSearchOption(name, value, options).ok()) << name;
  SearchOptions expected;
  expected.language = "zh";
  expected.task = Task::kTranslate;
  expected.beam_size = 3;
  expected.length_penalty = -0.5F;
  expected.temperature = {0, 0.25F};
  expected.condition_on_previous_text = true;
  EXPECT_EQ(options, expected);
  ASSERT_TRUE(SetSearchOption("task", "transcribe", options).ok());
  EXPECT_EQ(options.task, Task::kTranscribe);
}

TEST(SearchOptionsTest, EveryFieldHasANameThatChangesIt) {
  // Values that no field has by default, one of which each takes.
  for (const std::string& name : SearchOptionNames()) {
    bool changed = false;
    for (const char* value : {"translate", "7", "0.125", "-0.125", "true", "false", "30"}) {
      SearchOptions options;
      changed |= SetSearchOption(name, value, options).ok() && options != SearchOptions{};
    }
    EXPECT_TRUE(changed) << name;
  }
}

TEST(SearchOptionsTest, BothEndsOfARangeAreTaken) {
  SearchOptions options;
  for (const auto& number : kSearchNumbers) {
    EXPECT_TRUE(SetSearchOption(number.name, fmt::format("{}", number.least), options).ok()) << number.name;
    EXPECT_TRUE(SetSearchOption(number.name, fmt::format("{}", number.most), options).ok()) << number.name;
  }
  for (const auto& count : kSearchCounts) {
    EXPECT_FALSE(SetSearchOption(count.name, fmt::format("{}", count.least - 1), options).ok()) << count.name;
    EXPECT_FALSE(SetSearchOption(count.name, fmt::format("{}", count.most + 1), options).ok()) << count.name;
  }
}

TEST(SearchOptionsTest, WhatCannotBeSaysWhatMayBeAndChangesNothing) {
  SearchOptions options;
  const auto said = [&](std::string_view name, std::string_view value) {
    const absl::Status status = SetSearchOption(name, value, options);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return Message(status);
  };
  EXPECT_THAT(said("beam_size", "0"), AllOf(HasSubstr("beam_size"), HasSubstr("from 1 to 100")));
  EXPECT_THAT(said("beam_size", "1.5"), HasSubstr("whole number"));
  EXPECT_THAT(said("patience", "nan"), HasSubstr("'nan'"));
  EXPECT_THAT(said("temperature", "0,,1"), HasSubstr("''"));
  EXPECT_THAT(said("temperature", ""), HasSubstr("temperature"));
  EXPECT_THAT(said("condition_on_previous_text", "maybe"), HasSubstr("true or false"));
  EXPECT_THAT(said("task", ""), HasSubstr("transcribe, translate"));
  EXPECT_EQ(SetSearchOption("beam", "1", options).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(options, SearchOptions());
}

}  // namespace
}  // namespace tutti
