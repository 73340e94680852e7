#include "cli/inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/folder.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Input> Expanded(std::vector<std::string> arguments) {
  auto inputs = ExpandInputs(arguments);
  EXPECT_TRUE(inputs.ok()) << inputs.status();
  return inputs.ok() ? *inputs : std::vector<Input>();
}

std::vector<std::string> Paths(const std::vector<Input>& inputs) {
  std::vector<std::string> paths;
  for (const Input& input : inputs) paths.push_back(input.path);
  return paths;
}

TEST(InputsTest, FilesStayInTheOrderGivenAndAsOftenAsGiven) {
  EXPECT_THAT(Paths(Expanded({"b.wav", "a.wav", "b.wav"})), ElementsAre("b.wav", "a.wav", "b.wav"));
}

TEST(InputsTest, AFolderGivesItsMediaFilesSortedWithTheirPlaceBelowIt) {
  const testing::Folder folder;
  for (const char* name : {"b.WAV", "a/z.mp3", "notes.txt", "a/y.g722", "c.wav.part"}) folder.Write(name, "12345");
  const auto inputs = Expanded({folder.path()});
  EXPECT_THAT(Paths(inputs), ElementsAre(folder / "a/y.g722", folder / "a/z.mp3", folder / "b.WAV"));
  EXPECT_EQ(inputs[0].below, "a/y.g722");
  EXPECT_EQ(inputs[0].bytes, 5);
}

TEST(InputsTest, AFolderWithoutMediaIsAnErrorOfItsOwn) {
  const testing::Folder folder;
  folder.Write("notes.txt");
  const auto inputs = Expanded({folder.path(), "a.wav"});
  ASSERT_EQ(inputs.size(), 2u);
  EXPECT_THAT(Message(inputs[0].status), HasSubstr("no file with a media extension"));
  EXPECT_TRUE(inputs[1].status.ok());
}

TEST(InputsTest, AGlobGivesWhatMatchesWhateverTheExtension) {
  const testing::Folder folder;
  for (const char* name : {"a1.bin", "a2.bin", "b.bin"}) folder.Write(name);
  EXPECT_THAT(Paths(Expanded({folder / "a*.bin"})), ElementsAre(folder / "a1.bin", folder / "a2.bin"));
  EXPECT_THAT(Message(Expanded({folder / "c*"})[0].status), HasSubstr("matches this pattern"));
}

TEST(InputsTest, AFileWhoseNameLooksLikeAPatternIsTakenAsItIs) {
  const testing::Folder folder;
  folder.Write("[1] a.wav");
  folder.Write("1.wav");
  EXPECT_THAT(Paths(Expanded({folder / "[1] a.wav"})), ElementsAre(folder / "[1] a.wav"));
}

TEST(InputsTest, AListGivesItsLinesInPlace) {
  const testing::Folder folder;
  folder.Write("d/x.wav");
  const std::string list = folder.Write("list.txt", "one.wav\r\n\n" + (folder / "d") + "\nlast.wav");
  EXPECT_THAT(Paths(Expanded({"first.wav", "@" + list, "end.wav"})),
              ElementsAre("first.wav", "one.wav", folder / "d/x.wav", "last.wav", "end.wav"));
  EXPECT_THAT(Message(Expanded({"@" + (folder / "none.txt")})[0].status), HasSubstr("none.txt: cannot open"));
}

TEST(InputsTest, StandardInputCanBeNamedOnce) {
  EXPECT_EQ(Expanded({"-"})[0].below, "stdin");
  const std::vector<std::string> twice = {"-", "a.wav", "-"};
  EXPECT_EQ(ExpandInputs(twice).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(InputsTest, EveryKnownExtensionIsFound) {
  for (const char* extension :
       {"3gp", "aac", "amr", "flac", "g722", "m4a", "mkv", "mp3", "mp4", "ogg", "opus", "wav", "webm", "wma", "wmv"}) {
    EXPECT_TRUE(HasMediaExtension(std::string("a.") + extension)) << extension;
  }
  EXPECT_FALSE(HasMediaExtension("wav"));
  EXPECT_FALSE(HasMediaExtension("a.wav2"));
}

}  // namespace
}  // namespace tutti
