#include "tutti/search_options.h"

#include <charconv>
#include <type_traits>

#include "base/status.h"
#include "engine/search_table.h"

namespace tutti {
namespace {

constexpr std::string_view kTask = "task";

template <typename T>
absl::Status SetNumber(const SearchNumber<T>& number, std::string_view text, SearchOptions& options) {
  std::conditional_t<std::is_integral_v<T>, int64_t, double> value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto wide = static_cast<double>(value);
  if (error != std::errc() || end != text.data() + text.size() || !(wide >= number.least && wide <= number.most)) {
    return InvalidArgument("{}: '{}', expected {} from {} to {}", number.name, text,
                           std::is_integral_v<T> ? "a whole number" : "a number", number.least, number.most);
  }
  options.*number.field = static_cast<T>(value);
  return absl::OkStatus();
}

absl::Status SetTask(std::string_view text, SearchOptions& options) {
  if (text != "transcribe" && text != "translate") {
    return InvalidArgument("task: '{}', expected one of transcribe, translate", text);
  }
  options.task = text == "translate" ? Task::kTranslate : Task::kTranscribe;
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> SearchOptionNames() {
  std::vector<std::string> names = {std::string(kTask)};
  for (const SearchText& text : kSearchTexts) names.emplace_back(text.name);
  for (const auto& number : kSearchNumbers) names.emplace_back(number.name);
  for (const auto& count : kSearchCounts) names.emplace_back(count.name);
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
  return NotFound("there is no option {} of the search", name);
}

}  // namespace tutti
