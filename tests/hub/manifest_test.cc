#include "hub/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/sha256.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Manifest Example() {
  return {.name = "one",
          .source = "PyPI p 1",
          .license = "MIT",
          .pulled = "2026-11-28T19:00:00Z",
          .files = {{"model.bin", 3, Hex(Sha256("abc"))}, {"sub/deep/x", 1, Hex(Sha256("x"))}}};
}

TEST(ManifestTest, IsReadAsItWasWritten) {
  const testing::Folder folder;
  ASSERT_TRUE(WriteManifest(folder.path(), Example()).ok());
  const auto read = ReadManifest(folder.path());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->name, "one");
  EXPECT_EQ(read->license, "MIT");
  ASSERT_EQ(read->files.size(), 2u);
  EXPECT_EQ(read->files[1].name, "sub/deep/x");
  EXPECT_EQ(read->files[1].sha256, Hex(Sha256("x")));
}

TEST(ManifestTest, OneThatIsMissingMalformedOrReachesOutsideIsRefused) {
  const testing::Folder folder;
  EXPECT_EQ(ReadManifest(folder.path()).status().code(), absl::StatusCode::kNotFound);
  for (const char* text :
       {"", "{}", R"({"tutti_manifest": 2})", R"({"name": "a", "short_name": "a web application"})"}) {
    folder.Write("manifest.json", text);
    EXPECT_EQ(ReadManifest(folder.path()).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  Manifest outside = Example();
  outside.files[0].name = "../x";
  ASSERT_TRUE(WriteManifest(folder.path(), outside).ok());
  EXPECT_THAT(Message(ReadManifest(folder.path()).status()), HasSubstr("would leave"));
}

TEST(ManifestTest, DamageIsFoundFileByFile) {
  const testing::Folder folder;
  folder.Write("model.bin", "abc");
  folder.Write("sub/deep/x", "x");
  const auto files = Example().files;
  EXPECT_THAT(FindDamage(folder.path(), files), IsEmpty());
  folder.Write("model.bin", "abd");
  folder.Write("sub/deep/x", "xx");
  EXPECT_THAT(FindDamage(folder.path(), files), ElementsAre(HasSubstr("its sha256 is"), HasSubstr("has 2 bytes")));
  std::filesystem::remove(folder / "model.bin");
  EXPECT_THAT(FindDamage(folder.path(), files), ElementsAre(HasSubstr("No such file"), HasSubstr("has 2 bytes")));
}

TEST(ManifestTest, RemovingLeavesWhatIsNotListedAndFollowsNoLink) {
  const testing::Folder folder;
  folder.Write("m/model.bin", "abc");
  folder.Write("m/notes", "mine");
  folder.Write("elsewhere/deep/x", "mine");
  std::filesystem::create_directory_symlink(folder / "elsewhere", folder / "m/sub");
  ASSERT_TRUE(WriteManifest(folder / "m", Example()).ok());
  EXPECT_EQ(RemoveFiles(folder / "m", Example()).value(), 2) << "the notes and the link";
  EXPECT_TRUE(std::filesystem::exists(folder / "elsewhere/deep/x"));
  EXPECT_TRUE(std::filesystem::exists(folder / "m/notes"));
  EXPECT_FALSE(std::filesystem::exists(folder / "m/model.bin"));

  folder.Write("n/model.bin", "abc");
  folder.Write("n/sub/deep/x", "x");
  ASSERT_TRUE(WriteManifest(folder / "n", Example()).ok());
  EXPECT_EQ(RemoveFiles(folder / "n", Example()).value(), 0);
  EXPECT_FALSE(std::filesystem::exists(folder / "n"));
}

}  // namespace
}  // namespace tutti
