// docs/openapi.json beside what the service does.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/search_table.h"

namespace tutti {
namespace {

using OpenApi = nlohmann::json;

const OpenApi& Description() {
  static const auto* description = new OpenApi([] {
    std::ifstream file(TUTTI_SOURCE_DIR "/docs/openapi.json");
    return OpenApi::parse(file, nullptr, false);
  }());
  return *description;
}

// Everywhere where the field is described: in the query, in forms, beside a URL.
std::vector<OpenApi> SchemasOf(const std::string& name) {
  const OpenApi& components = Description()["components"];
  std::vector<OpenApi> schemas = {components["parameters"].value("q_" + name, OpenApi::object())["schema"]};
  for (const char* fields : {"TranscribeFields", "TranscribeUrl", "JobFields", "JobUrl"}) {
    schemas.push_back(components["schemas"][fields]["properties"].value(name, OpenApi()));
  }
  return schemas;
}

template <typename Option>
void ExpectRange(const Option& option, const OpenApi& schema) {
  EXPECT_EQ(schema.value("minimum", OpenApi()), OpenApi(option.least)) << option.name << ": " << schema;
  EXPECT_EQ(schema.value("maximum", OpenApi()), OpenApi(option.most)) << option.name << ": " << schema;
}

TEST(OpenApiTest, NumbersOfTheSearchHaveTheirRangesAndDefaults) {
  const SearchOptions defaults;
  for (const auto& number : kSearchNumbers) {
    for (const OpenApi& schema : SchemasOf(number.name)) {
      EXPECT_EQ(schema.value("type", ""), "number") << number.name;
      ExpectRange(number, schema);
      EXPECT_FLOAT_EQ(schema.value("default", -12345.0F), defaults.*number.field) << number.name;
    }
  }
  for (const auto& count : kSearchCounts) {
    for (const OpenApi& schema : SchemasOf(count.name)) {
      EXPECT_EQ(schema.value("type", ""), "integer") << count.name;
      ExpectRange(count, schema);
      EXPECT_EQ(schema.value("default", -12345), defaults.*count.field) << count.name;
    }
  }
}

TEST(OpenApiTest, ListsOfTheSearchHaveTheRangesOfTheirItemsAndTheirDefaults) {
  const SearchOptions defaults;
  for (const SearchList& list : kSearchLists) {
    for (const OpenApi& schema : SchemasOf(list.name)) {
      EXPECT_EQ(schema.value("type", ""), "array") << list.name;
      ExpectRange(list, schema.value("items", OpenApi::object()));
      EXPECT_EQ(schema.value("default", std::vector<float>()), defaults.*list.field) << list.name;
    }
  }
}

TEST(OpenApiTest, SwitchesChoicesAndTextsOfTheSearchAreThere) {
  const SearchOptions defaults;
  for (const SearchSwitch& one : kSearchSwitches) {
    for (const OpenApi& schema : SchemasOf(one.name)) {
      EXPECT_EQ(schema.value("type", ""), "boolean") << one.name;
      EXPECT_EQ(schema.value("default", OpenApi()), OpenApi(defaults.*one.field)) << one.name;
    }
  }
  for (const SearchChoice& choice : kSearchChoices) {
    std::vector<std::string> names;
    for (const auto& [name, value] : choice.choices) names.emplace_back(name);
    for (const OpenApi& schema : SchemasOf(choice.name)) {
      EXPECT_EQ(schema.value("enum", OpenApi()), OpenApi(names)) << choice.name;
      EXPECT_EQ(schema.value("default", ""), names.front()) << choice.name;
    }
  }
  for (const SearchText& text : kSearchTexts) {
    for (const OpenApi& schema : SchemasOf(text.name)) EXPECT_EQ(schema.value("type", ""), "string") << text.name;
  }
  for (const OpenApi& schema : SchemasOf("task")) {
    EXPECT_EQ(schema.value("enum", OpenApi()), OpenApi({"transcribe", "translate"}));
  }
}

TEST(OpenApiTest, EachCallThatTakesTheSearchListsAllOfIt) {
  for (const char* path : {"/v1/transcribe", "/v1/jobs"}) {
    std::vector<std::string> listed;
    for (const OpenApi& parameter : Description()["paths"][path]["post"]["parameters"]) {
      listed.push_back(parameter.value("$ref", ""));
    }
    for (const std::string& name : SearchOptionNames()) {
      EXPECT_EQ(std::ranges::count(listed, "#/components/parameters/q_" + name), 1) << path << ": " << name;
    }
  }
}

}  // namespace
}  // namespace tutti
