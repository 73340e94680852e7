#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace tutti {

// Holds a value to the part of JSON Schema that docs/transcript.schema.json uses. Returns what is wrong, "" if nothing.
class JsonSchema {
 public:
  explicit JsonSchema(nlohmann::json root) : root_(std::move(root)) {}

  std::string Problem(const nlohmann::json& value) const { return Problem(value, root_, "$"); }

 private:
  using Json = nlohmann::json;

  static bool HasType(const Json& value, const std::string& type) {
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    return type == value.type_name();
  }

  std::string Problem(const Json& value, const Json& schema, std::string_view where) const {
    if (schema.contains("$ref")) {
      const std::string reference = schema["$ref"];
      return Problem(value, root_.at(Json::json_pointer(reference.substr(1))), where);
    }
    if (schema.contains("oneOf")) {
      std::string problems;
      for (const Json& choice : schema["oneOf"]) {
        std::string problem = Problem(value, choice, where);
        if (problem.empty()) return "";
        problems += problem + "; ";
      }
      return problems;
    }
    if (schema.contains("type")) {
      const Json types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
      bool any = false;
      for (const std::string type : types) any = any || HasType(value, type);
      if (!any) return fmt::format("{} is {}, expected {}", where, value.dump(), types.dump());
    }
    if (value.is_number()) {
      if (schema.contains("minimum") && value < schema["minimum"])
        return fmt::format("{} is {}: too small", where, value.dump());
      if (schema.contains("maximum") && value > schema["maximum"])
        return fmt::format("{} is {}: too large", where, value.dump());
    }
    for (const std::string key : schema.value("required", Json::array())) {
      if (!value.contains(key)) return fmt::format("{} has no {}", where, key);
    }
    if (value.is_object()) {
      for (const auto& [key, member] : value.items()) {
        if (!schema.at("properties").contains(key)) return fmt::format("{} has an undocumented {}", where, key);
        std::string problem = Problem(member, schema["properties"][key], fmt::format("{}.{}", where, key));
        if (!problem.empty()) return problem;
      }
    }
    if (value.is_array()) {
      for (size_t i = 0; i < value.size(); ++i) {
        std::string problem = Problem(value[i], schema.at("items"), fmt::format("{}[{}]", where, i));
        if (!problem.empty()) return problem;
      }
    }
    return "";
  }

  const Json root_;
};

}  // namespace tutti
