#include "cli/search_flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "cli/number_check.h"
#include "engine/search_table.h"

namespace tutti {
namespace {

constexpr const char* kSearchGroup = "Search (models that write token by token, as Whisper)";

std::string OptionName(std::string name) {
  std::ranges::replace(name, '_', '-');
  return fmt::format("--{}", name);
}

template <typename T>
void AddNumber(CLI::App& app, const SearchNumber<T>& number, SearchOptions& options) {
  app.add_option(OptionName(number.name), options.*number.field, number.help)
      ->check(NumberBetween(number.least, number.most))
      ->option_text(number.value)
      ->default_str(fmt::format("{}", options.*number.field))
      ->group(kSearchGroup);
}

}  // namespace

void SearchFlags::AddTo(CLI::App& app) {
  for (const SearchText& text : kSearchTexts) {
    app.add_option(OptionName(text.name), options_.*text.field, text.help)
        ->option_text(text.value)
        ->group(kSearchGroup);
  }
  app.add_option("--task", task_, "write what is said, or its translation into English")
      ->check(CLI::IsMember({"transcribe", "translate"}))
      ->option_text("transcribe|translate")
      ->default_str(task_)
      ->group(kSearchGroup);
  for (const auto& count : kSearchCounts) AddNumber(app, count, options_);
  for (const auto& number : kSearchNumbers) AddNumber(app, number, options_);
  for (const SearchList& list : kSearchLists) {
    app.add_option(OptionName(list.name), options_.*list.field, list.help)
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(NumberBetween(list.least, list.most))
        ->option_text(list.value)
        ->default_str(fmt::format("{}", fmt::join(options_.*list.field, ",")))
        ->group(kSearchGroup);
  }
  for (const SearchChoice& choice : kSearchChoices) {
    const std::map<std::string, int> values(choice.choices.begin(), choice.choices.end());
    std::vector<std::string_view> names;
    for (const auto& [name, value] : choice.choices) names.emplace_back(name);
    app.add_option_function<std::string>(
           OptionName(choice.name),
           [this, &choice, values](const std::string& name) { options_.*choice.field = values.at(name); }, choice.help)
        ->check(CLI::IsMember(names))
        ->option_text(fmt::format("{}", fmt::join(names, "|")))
        ->default_str(std::string(names.front()))
        ->group(kSearchGroup);
  }
  for (const SearchSwitch& one : kSearchSwitches) {
    app.add_flag(OptionName(one.name), options_.*one.field, one.help)->group(kSearchGroup);
  }
}

SearchOptions SearchFlags::options() const {
  SearchOptions options = options_;
  options.task = task_ == "translate" ? Task::kTranslate : Task::kTranscribe;
  return options;
}

}  // namespace tutti
