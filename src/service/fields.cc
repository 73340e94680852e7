#include "service/fields.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "service/api_error.h"
#include "service/json_text.h"
#include "service/percent.h"

namespace tutti {
namespace {

absl::StatusOr<std::string> ValueOf(std::string_view name, const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean() || value.is_number()) return value.dump();
  return FieldError(name, "expected a string, a number, a boolean or an array of these");
}

template <typename T>
absl::StatusOr<T> Parse(std::string_view name, std::string_view text, T least, T most) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= least && value <= most)) {
    return FieldError(name, fmt::format("'{}', expected a number from {} to {}", text, least, most));
  }
  return value;
}

}  // namespace

absl::Status Fields::Add(std::string name, std::string value) {
  bytes_ += name.size() + value.size();
  if (bytes_ > kMaxBytes) return absl::OutOfRangeError(fmt::format("the fields have more than {} bytes", kMaxBytes));
  fields_.push_back({std::move(name), std::move(value)});
  return absl::OkStatus();
}

absl::Status Fields::AddQuery(std::string_view query) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    auto name = PercentDecode(pair.substr(0, equals), true);
    auto value = PercentDecode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) return InvalidArgument("the query has a malformed % escape");
    TUTTI_RETURN_IF_ERROR(Add(*std::move(name), *std::move(value)));
  }
  return absl::OkStatus();
}

absl::Status Fields::AddJson(std::string_view text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return InvalidArgument("the body is no JSON object");
  for (const auto& [name, value] : json.items()) {
    if (value.is_null()) continue;
    if (!value.is_array()) {
      TUTTI_ASSIGN_OR_RETURN(std::string one, ValueOf(name, value));
      TUTTI_RETURN_IF_ERROR(Add(name, std::move(one)));
      continue;
    }
    for (const nlohmann::json& element : value) {
      TUTTI_ASSIGN_OR_RETURN(std::string one, ValueOf(name, element));
      TUTTI_RETURN_IF_ERROR(Add(name, std::move(one)));
    }
  }
  return absl::OkStatus();
}

std::string Fields::Json() const {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const Field& field : fields_) {
    auto& value = json[field.name];
    if (value.is_null()) {
      value = field.value;
    } else {
      if (!value.is_array()) value = nlohmann::ordered_json::array({value});
      value.push_back(field.value);
    }
  }
  return JsonText(json);
}

const std::string* Fields::Find(std::string_view name) const {
  const std::string* found = nullptr;
  for (const Field& field : fields_) {
    if (field.name != name) continue;
    field.known = field.single = true;
    found = &field.value;
  }
  return found;
}

bool Fields::Has(std::string_view name) const { return Find(name) != nullptr; }

std::string Fields::Text(std::string_view name, std::string_view otherwise) const {
  const std::string* value = Find(name);
  return value != nullptr ? *value : std::string(otherwise);
}

std::vector<std::string> Fields::All(std::string_view name) const {
  std::vector<std::string> values;
  for (const Field& field : fields_) {
    if (field.name != name) continue;
    field.known = true;
    values.push_back(field.value);
  }
  return values;
}

absl::StatusOr<bool> Fields::Bool(std::string_view name, bool otherwise) const {
  const std::string* value = Find(name);
  if (value == nullptr || value->empty()) return otherwise;
  if (const std::optional<bool> parsed = ParseBool(*value)) return *parsed;
  return FieldError(name, fmt::format("'{}', expected true or false", *value));
}

absl::StatusOr<int64_t> Fields::Integer(std::string_view name, int64_t otherwise, int64_t least, int64_t most) const {
  const std::string* value = Find(name);
  return value == nullptr ? otherwise : Parse(name, *value, least, most);
}

absl::StatusOr<double> Fields::Number(std::string_view name, double otherwise, double least, double most) const {
  const std::string* value = Find(name);
  return value == nullptr ? otherwise : Parse(name, *value, least, most);
}

absl::StatusOr<std::string> Fields::Choice(std::string_view name, const std::vector<std::string>& allowed) const {
  const std::string* value = Find(name);
  if (value == nullptr) return allowed.front();
  if (std::ranges::find(allowed, *value) == allowed.end()) {
    return FieldError(name, fmt::format("'{}', expected one of {}", *value, fmt::join(allowed, ", ")));
  }
  return *value;
}

absl::Status Fields::RefuseUnknown() const {
  std::set<std::string_view> seen;
  for (const Field& field : fields_) {
    if (!field.known) return FieldError(field.name, "there is no such field");
    if (!seen.insert(field.name).second && field.single) return FieldError(field.name, "is there more than once");
  }
  return absl::OkStatus();
}

}  // namespace tutti
