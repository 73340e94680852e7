#include "cli/search_flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

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
  AddChoice(app, "task", {"transcribe", "translate"}, "write what is said, or its translation into English");
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
    std::vector<std::string> names;
    for (const auto& [name, value] : choice.choices) names.emplace_back(name);
    AddChoice(app, choice.name, names, choice.help);
  }
  for (const SearchSwitch& one : kSearchSwitches) {
    app.add_flag(OptionName(one.name), options_.*one.field, one.help)->group(kSearchGroup);
  }
}

void SearchFlags::AddChoice(CLI::App& app, const char* name, const std::vector<std::string>& values, const char* help) {
  // What the check lets through cannot be wrong.
  app.add_option_function<std::string>(
         OptionName(name),
         [this, name](const std::string& value) { SetSearchOption(name, value, options_).IgnoreError(); }, help)
      ->check(CLI::IsMember(values))
      ->option_text(fmt::format("{}", fmt::join(values, "|")))
      ->default_str(values.front())
      ->group(kSearchGroup);
}

}  // namespace tutti
