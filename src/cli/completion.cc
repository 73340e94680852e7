#include "cli/completion.h"

#include <fmt/format.h>

#include <iterator>
#include <vector>

#include "cli/option_text.h"

namespace tutti {
namespace {

std::vector<std::string> Names(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

// How bash finds values for the option; empty: it cannot.
std::string ValueCompletion(const CLI::Option& option) {
  const std::string& text = option.get_option_text();
  std::vector<std::string> choices = OptionChoices(option);
  std::string action;
  if (!choices.empty()) action = fmt::format(" -W '{}'", fmt::join(choices, " "));
  if (text == "DIR") action += " -d";
  if (text.find("MODEL") != std::string::npos || text == "FILE") action += " -f";
  return action;
}

// One `case` branch of a command: what it and its subcommands offer.
void AddBranch(const CLI::App& app, const std::string& path, std::string& script) {
  std::vector<std::string> words;
  for (const CLI::App* subcommand : Subcommands(app)) words.push_back(subcommand->get_name());
  std::string values;
  for (const auto& [group, options] : OptionGroups(app)) {
    for (const CLI::Option* option : options) {
      const std::vector<std::string> names = Names(*option);
      words.insert(words.end(), names.begin(), names.end());
      const std::string action = ValueCompletion(*option);
      if (TakesValue(*option)) {
        fmt::format_to(std::back_inserter(values), "        {}) COMPREPLY=({}); return ;;\n", fmt::join(names, "|"),
                       action.empty() ? "" : fmt::format("$(compgen{} -- \"$word\")", action));
      }
    }
  }
  fmt::format_to(std::back_inserter(script), "    '{}')\n", path);
  if (!values.empty()) fmt::format_to(std::back_inserter(script), "      case $previous in\n{}      esac\n", values);
  fmt::format_to(std::back_inserter(script), "      words='{}' ;;\n", fmt::join(words, " "));
  for (const CLI::App* subcommand : Subcommands(app)) {
    AddBranch(*subcommand, path.empty() ? subcommand->get_name() : path + " " + subcommand->get_name(), script);
  }
}

void AddPaths(const CLI::App& app, const std::string& path, std::vector<std::string>& paths) {
  for (const CLI::App* subcommand : Subcommands(app)) {
    const std::string deeper = path.empty() ? subcommand->get_name() : path + " " + subcommand->get_name();
    paths.push_back(deeper);
    AddPaths(*subcommand, deeper, paths);
  }
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  std::vector<std::string> paths;
  AddPaths(app, "", paths);
  std::string branches;
  AddBranch(app, "", branches);
  return fmt::format(R"(# bash completion for tutti
_tutti() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} path= words= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path${{path:+ }}${{COMP_WORDS[i]}}" in
      '{}') path="$path${{path:+ }}${{COMP_WORDS[i]}}" ;;
    esac
  done
  case $path in
{}  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [[ -n $path && $word != -* ]]; then COMPREPLY+=($(compgen -f -- "$word")); fi
}}
complete -o filenames -F _tutti tutti
)",
                     fmt::join(paths, "'|'"), branches);
}

}  // namespace tutti
