#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tutti {

// What help, man page and completion say about the command line, all from the same CLI11 definitions.

// "-f, --format txt|json"; for a positional "PATH...".
std::string OptionNames(const CLI::Option& option);
bool TakesValue(const CLI::Option& option);
// The description with the default behind it.
std::string OptionHelp(const CLI::Option& option);
// The words that the option's value may be: "mix", "split". Placeholders such as DIR are left out.
std::vector<std::string> OptionChoices(const CLI::Option& option);
// Options of `app` that are shown, by group, in the order of definition.
std::vector<std::pair<std::string, std::vector<const CLI::Option*>>> OptionGroups(const CLI::App& app);
std::vector<const CLI::Option*> Positionals(const CLI::App& app);
std::vector<const CLI::App*> Subcommands(const CLI::App& app);
// Lines of at most `columns`, broken at spaces; line breaks in `text` stay.
std::vector<std::string> Wrapped(std::string_view text, size_t columns);

// --help.
class HelpFormatter final : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

}  // namespace tutti
