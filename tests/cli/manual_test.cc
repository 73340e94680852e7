// Man page and completion, made from the program's own definitions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "cli/option_text.h"
#include "tests/cli/program.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::set<std::string> LongOptions(const std::string& text) {
  const std::string letters = "abcdefghijklmnopqrstuvwxyz0123456789-";
  std::set<std::string> options;
  for (size_t at = text.find("--"); at != std::string::npos; at = text.find("--", at)) {
    const size_t end = std::min(text.find_first_not_of(letters, at), text.size());
    if (end > at + 3) options.insert(text.substr(at, end - at));
    at = end;
  }
  return options;
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

TEST(ManualTest, ManPageAndCompletionHaveEveryOptionOfTheHelp) {
  const std::string page = Replaced(RunProgram({"--generate-man"}).out, "\\-", "-");
  const std::string completion = RunProgram({"--generate-completion", "bash"}).out;
  for (const char* command : {"transcribe", "vad"}) {
    const auto options = LongOptions(RunProgram({command, "--help"}).out);
    EXPECT_GT(options.size(), 30u);
    for (const std::string& option : options) {
      EXPECT_THAT(page, HasSubstr(option));
      EXPECT_THAT(completion, HasSubstr(option));
    }
  }
  EXPECT_TRUE(page.starts_with(".TH TUTTI 1 "));
}

TEST(ManualTest, BashCompletesCommandsOptionsAndValues) {
  const testing::Folder folder;
  const std::string script = folder.Write("tutti", RunProgram({"--generate-completion", "bash"}).out);
  const auto completed = [&](const std::string& words) {
    const std::string out = folder / "out";
    const std::string bash = "cd " + (folder / "") + "; source " + script + "; COMP_WORDS=(" + words +
                             "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _tutti; echo ${COMPREPLY[@]} > " + out;
    EXPECT_EQ(std::system(("bash -c '" + bash + "'").c_str()), 0);
    return testing::BytesOf(out);
  };
  EXPECT_EQ(completed("tutti tr"), "transcribe\n");
  EXPECT_EQ(completed("tutti transcribe --skip"), "--skip-existing\n");
  EXPECT_EQ(completed("tutti transcribe --progress \"\""), "auto bar json none\n");
  EXPECT_EQ(completed("tutti bench en"), "encoder\n");
  EXPECT_EQ(completed("tutti bench encoder --synthetic \"\""), "paraformer-large paraformer-small sensevoice-small\n");
}

TEST(ManualTest, LinesAreBrokenAtSpacesAndKeepTheirOwnBreaks) {
  EXPECT_THAT(Wrapped("one two three\nfour", 7), ElementsAre("one two", "three", "four"));
  EXPECT_THAT(Wrapped("unbreakable", 4), ElementsAre("unbreakable"));
}

}  // namespace
}  // namespace tutti
