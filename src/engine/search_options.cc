#include "tutti/search_options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <type_traits>
#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "engine/search_table.h"

namespace tutti {
namespace {

constexpr std::string_view kTask = "task";

template <typename T>
absl::StatusOr<T> ParseWithin(const char* name, std::string_view text, double least, double most) {
  std::conditional_t<std::is_integral_v<T>, int64_t, double> value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto wide = static_cast<double>(value);
  if (error != std::errc() || end != text.data() + text.size() || !(wide >= least && wide <= most)) {
    return InvalidArgument("{}: '{}', expected {} from {} to {}", name, text,
                           std::is_integral_v<T> ? "a whole number" : "a number", least, most);
  }
  return static_cast<T>(value);
}

template <typename T>
absl::Status SetNumber(const SearchNumber<T>& number, std::string_view text, SearchOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(options.*number.field, ParseWithin<T>(number.name, text, number.least, number.most));
  return absl::OkStatus();
}

// "0,0.2,0.4".
absl::Status SetList(const SearchList& list, std::string_view text, SearchOptions& options) {
  std::vector<float> values;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    TUTTI_ASSIGN_OR_RETURN(const float value,
                           ParseWithin<float>(list.name, text.substr(begin, end - begin), list.least, list.most));
    values.push_back(value);
    begin = end + 1;
  }
  options.*list.field = std::move(values);
  return absl::OkStatus();
}

absl::Status SetSwitch(const SearchSwitch& one, std::string_view text, SearchOptions& options) {
  const std::optional<bool> on = ParseBool(text);
  if (!on) return InvalidArgument("{}: '{}', expected true or false", one.name, text);
  options.*one.field = *on;
  return absl::OkStatus();
}

absl::Status SetTask(std::string_view text, SearchOptions& options) {
  if (text != "transcribe" && text != "translate") {
    return InvalidArgument("task: '{}', expected one of transcribe, translate", text);
  }
  options.task = text == "translate" ? Task::kTranslate : Task::kTranscribe;
  return absl::OkStatus();
}

absl::Status SetChoice(const SearchChoice& choice, std::string_view text, SearchOptions& options) {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : choice.choices) {
    if (text == name) {
      options.*choice.field = value;
      return absl::OkStatus();
    }
    names.emplace_back(name);
  }
  return InvalidArgument("{}: '{}', expected one of {}", choice.name, text, fmt::join(names, ", "));
}

}  // namespace

std::vector<std::string> SearchOptionNames() {
  std::vector<std::string> names = {std::string(kTask)};
  for (const SearchText& text : kSearchTexts) names.emplace_back(text.name);
  for (const auto& number : kSearchNumbers) names.emplace_back(number.name);
  for (const auto& count : kSearchCounts) names.emplace_back(count.name);
  for (const SearchList& list : kSearchLists) names.emplace_back(list.name);
  for (const SearchSwitch& one : kSearchSwitches) names.emplace_back(one.name);
  for (const SearchChoice& choice : kSearchChoices) names.emplace_back(choice.name);
  return names;
}

absl::Status SetSearchOption(std::string_view name, std::string_view value, SearchOptions& options) {
  if (name == kTask) return SetTask(value, options);
  for (const SearchText& text : kSearchTexts) {
    if (name != text.name) continue;
    options.*text.field = value;
    return absl::OkStatus();
  }
  for (const auto& number : kSearchNumbers) {
    if (name == number.name) return SetNumber(number, value, options);
  }
  for (const auto& count : kSearchCounts) {
    if (name == count.name) return SetNumber(count, value, options);
  }
  for (const SearchList& list : kSearchLists) {
    if (name == list.name) return SetList(list, value, options);
  }
  for (const SearchSwitch& one : kSearchSwitches) {
    if (name == one.name) return SetSwitch(one, value, options);
  }
  for (const SearchChoice& choice : kSearchChoices) {
    if (name == choice.name) return SetChoice(choice, value, options);
  }
  return NotFound("there is no option {} of the search", name);
}

}  // namespace tutti
