#include "service/search_fields.h"

#include <algorithm>
#include <utility>

namespace tutti {
namespace {

// Numbers that stand in several fields of one name, or with commas in one.
absl::Status ReadNumbers(const Fields& fields, const SearchList& list, std::vector<float>& numbers) {
  std::vector<float> found;
  for (const std::string& value : fields.All(list.name)) {
    for (size_t begin = 0; begin <= value.size();) {
      const size_t end = std::min(value.find(',', begin), value.size());
      Fields one;
      TUTTI_RETURN_IF_ERROR(one.Add(list.name, value.substr(begin, end - begin)));
      TUTTI_ASSIGN_OR_RETURN(const double number, one.Number(list.name, 0, list.least, list.most));
      found.push_back(static_cast<float>(number));
      begin = end + 1;
    }
  }
  if (!found.empty()) numbers = std::move(found);
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadSearchOptions(const Fields& fields, SearchOptions& options) {
  for (const SearchText& text : kSearchTexts) options.*text.field = fields.Text(text.name, options.*text.field);
  for (const SearchNumber<float>& number : kSearchNumbers) {
    TUTTI_ASSIGN_OR_RETURN(const double value, fields.Number(number.name, static_cast<double>(options.*number.field),
                                                             number.least, number.most));
    options.*number.field = static_cast<float>(value);
  }
  for (const SearchNumber<int>& count : kSearchCounts) {
    TUTTI_ASSIGN_OR_RETURN(const int64_t value,
                           fields.Integer(count.name, options.*count.field, static_cast<int64_t>(count.least),
                                          static_cast<int64_t>(count.most)));
    options.*count.field = static_cast<int>(value);
  }
  for (const SearchList& list : kSearchLists) TUTTI_RETURN_IF_ERROR(ReadNumbers(fields, list, options.*list.field));
  for (const SearchSwitch& one : kSearchSwitches) {
    TUTTI_ASSIGN_OR_RETURN(options.*one.field, fields.Bool(one.name, options.*one.field));
  }
  for (const SearchChoice& choice : kSearchChoices) {
    std::vector<std::string> names;
    for (const auto& [name, value] : choice.choices) names.emplace_back(name);
    TUTTI_ASSIGN_OR_RETURN(const std::string chosen, fields.Choice(choice.name, names));
    if (!fields.Has(choice.name)) continue;
    options.*choice.field =
        choice.choices[static_cast<size_t>(std::ranges::find(names, chosen) - names.begin())].second;
  }
  TUTTI_ASSIGN_OR_RETURN(const std::string task, fields.Choice("task", {"transcribe", "translate"}));
  if (fields.Has("task")) options.task = task == "translate" ? Task::kTranslate : Task::kTranscribe;
  return absl::OkStatus();
}

}  // namespace tutti
