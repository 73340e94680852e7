#include "cli/option_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tutti {
namespace {

constexpr size_t kNameColumns = 30;
constexpr size_t kHelpColumns = 66;

std::string Entry(const std::string& names, const std::string& help) {
  std::string out = "  " + names;
  bool first = out.size() < kNameColumns;
  for (const std::string& line : Wrapped(help, kHelpColumns)) {
    if (!first) out += "\n";
    out += std::string(first ? kNameColumns - out.size() : kNameColumns, ' ') + line;
    first = false;
  }
  return out + "\n";
}

}  // namespace

bool TakesValue(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

std::string OptionNames(const CLI::Option& option) {
  if (!option.nonpositional()) {
    return option.get_name(true) + (option.get_expected_max() >= CLI::detail::expected_max_vector_size ? "..." : "");
  }
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  std::string text = fmt::format("{}", fmt::join(names, ", "));
  if (TakesValue(option)) text += " " + option.get_option_text();
  return text;
}

std::string OptionHelp(const CLI::Option& option) {
  std::string help = option.get_description();
  if (TakesValue(option) && !option.get_default_str().empty()) {
    help += fmt::format(" (default {})", option.get_default_str());
  }
  return help;
}

std::vector<std::string> OptionChoices(const CLI::Option& option) {
  std::vector<std::string> choices;
  for (const std::string& word : CLI::detail::split(option.get_option_text(), '|')) {
    const bool plain = std::all_of(word.begin(), word.end(),
                                   [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
    if (plain && !word.empty()) choices.push_back(word);
  }
  return choices;
}

std::vector<std::pair<std::string, std::vector<const CLI::Option*>>> OptionGroups(const CLI::App& app) {
  std::vector<std::pair<std::string, std::vector<const CLI::Option*>>> groups;
  for (const std::string& name : app.get_groups()) {
    if (name.empty()) continue;  // hidden
    const auto members = app.get_options(
        [&name](const CLI::Option* option) { return option->get_group() == name && option->nonpositional(); });
    if (!members.empty()) groups.emplace_back(name, members);
  }
  // --help is defined first and matters least.
  std::stable_partition(groups.begin(), groups.end(), [](const auto& group) { return group.first != "Options"; });
  return groups;
}

std::vector<const CLI::App*> Subcommands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<std::string> Wrapped(std::string_view text, size_t columns) {
  std::vector<std::string> lines = {""};
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(" \n"), text.size());
    const std::string_view word = text.substr(0, end);
    std::string& line = lines.back();
    if (line.empty()) {
      line = word;
    } else if (line.size() + 1 + word.size() <= columns) {
      line.append(" ").append(word);
    } else {
      lines.emplace_back(word);
    }
    if (end < text.size() && text[end] == '\n') lines.emplace_back();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<const CLI::Option*> Positionals(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return !option->nonpositional(); });
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode /*mode*/) const {
  const auto subcommands = Subcommands(*app);
  const auto positionals = Positionals(*app);
  std::string out = "Usage: " + name + (subcommands.empty() ? " [OPTIONS]" : " COMMAND");
  for (const CLI::Option* option : positionals) out += " " + OptionNames(*option);
  out += "\n\n";
  for (const std::string& line : Wrapped(app->get_description(), kNameColumns + kHelpColumns)) out += line + "\n";
  if (!positionals.empty() || !subcommands.empty()) out += "\n";
  for (const CLI::Option* option : positionals) out += Entry(OptionNames(*option), OptionHelp(*option));
  for (const CLI::App* subcommand : subcommands) {
    out += Entry(subcommand->get_name(), subcommand->get_description());
  }
  for (const auto& [group, options] : OptionGroups(*app)) {
    out += "\n" + group + ":\n";
    for (const CLI::Option* option : options) out += Entry(OptionNames(*option), OptionHelp(*option));
  }
  const std::string footer = app->get_footer();
  return footer.empty() ? out : out + "\n" + footer + "\n";
}

}  // namespace tutti
