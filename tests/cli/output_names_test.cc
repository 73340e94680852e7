#include "cli/output_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tutti {
namespace {

using ::testing::ElementsAre;

Input File(std::string path, std::string below) {
  return {.path = std::move(path), .below = std::move(below), .bytes = 0, .status = absl::OkStatus()};
}

std::vector<std::string> Names(std::vector<Input> inputs) { return OutputNames(inputs); }

TEST(OutputNamesTest, ARecordingKeepsItsPlaceBelowTheFolderNamed) {
  EXPECT_THAT(Names({File("calls/a.wav", "a.wav"), File("calls/2024/a.wav", "2024/a.wav")}),
              ElementsAre("a", "2024/a"));
}

TEST(OutputNamesTest, TwinsOfDifferentFormatKeepTheirExtension) {
  EXPECT_THAT(Names({File("d/a.wav", "a.wav"), File("d/a.mp3", "a.mp3"), File("d/b.wav", "b.wav")}),
              ElementsAre("a.wav", "a.mp3", "b"));
}

TEST(OutputNamesTest, TwinsFromDifferentFoldersKeepTheirPath) {
  EXPECT_THAT(Names({File("/x/a.wav", "a.wav"), File("../y/a.wav", "a.wav")}), ElementsAre("x/a", "y/a"));
}

TEST(OutputNamesTest, ARecordingNamedTwiceGetsANumber) {
  EXPECT_THAT(Names({File("a.wav", "a.wav"), File("a.wav", "a.wav")}), ElementsAre("a.wav", "a.wav.2"));
}

TEST(OutputNamesTest, NoNameLeavesTheOutputFolder) {
  for (const std::string& name :
       Names({File("../../etc/a.wav", "../../etc/a.wav"), File("/b/../../a.wav", "../a.wav")})) {
    EXPECT_NE(name.front(), '/');
    EXPECT_EQ(name.find(".."), std::string::npos) << name;
  }
}

TEST(OutputNamesTest, ANumberedNameDoesNotTakeAnothersName) {
  const auto names = Names({File("a.2.wav", "a.2.wav"), File("a", "a"), File("a", "a")});
  EXPECT_THAT(names, ElementsAre("a.2", "a", "a.3"));
}

}  // namespace
}  // namespace tutti
