#include "base/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <vector>

namespace tutti {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
    fs::create_directory(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string Path(const char* name) const { return (root_ / name).string(); }
  size_t Files() const { return static_cast<size_t>(std::distance(fs::directory_iterator(root_), {})); }

  fs::path root_;
};

TEST_F(FileTest, WhatWasWrittenIsReadAndMapped) {
  const std::string bytes("\0line\n\xff", 7);
  ASSERT_TRUE(WriteFileAtomically(Path("a"), bytes).ok());
  EXPECT_EQ(*ReadFile(Path("a")), bytes);
  const auto mapped = MappedFile::Open(Path("a"));
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  EXPECT_EQ((*mapped)->bytes().size(), 7u);
  EXPECT_EQ((*mapped)->bytes()[6], std::byte{0xff});
  EXPECT_EQ((*mapped)->path(), Path("a"));
}

TEST_F(FileTest, AnEmptyFileHasNoBytes) {
  ASSERT_TRUE(WriteFileAtomically(Path("empty"), "").ok());
  EXPECT_EQ(*ReadFile(Path("empty")), "");
  EXPECT_TRUE((*MappedFile::Open(Path("empty")))->bytes().empty());
}

TEST_F(FileTest, AMissingFileAndADirectoryAreNamed) {
  const absl::Status missing = MappedFile::Open(Path("missing")).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(missing), AllOf(HasSubstr(Path("missing")), HasSubstr("No such file")));
  EXPECT_THAT(Message(MappedFile::Open(root_.string()).status()), HasSubstr("expected a regular file"));
}

TEST_F(FileTest, AFileBeyondTheLimitIsRefused) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "12345").ok());
  EXPECT_TRUE(ReadFile(Path("a"), 5).ok());
  EXPECT_THAT(Message(ReadFile(Path("a"), 4).status()), HasSubstr("5 bytes, at most 4"));
}

TEST_F(FileTest, AMappingOutlivesTheReplacementOfItsFile) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "old").ok());
  const auto mapped = *MappedFile::Open(Path("a"));
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "new text").ok());
  EXPECT_EQ(static_cast<char>(mapped->bytes()[0]), 'o');
  EXPECT_EQ(*ReadFile(Path("a")), "new text");
  EXPECT_EQ(Files(), 1u) << "no temporary file is left";
}

TEST_F(FileTest, ForgottenPagesComeBackAsTheyWere) {
  const std::string text(100'000, 'x');
  ASSERT_TRUE(WriteFileAtomically(Path("a"), text).ok());
  const auto mapped = *MappedFile::Open(Path("a"));
  for (const auto& [from, size] : {std::pair(size_t{0}, text.size()), {5, 3}, {5000, 20'000}, {7, 0}}) {
    mapped->Forget(mapped->bytes().subspan(from, size));
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size()), text);
  }
}

TEST_F(FileTest, AFileInPiecesIsThereOnceItIsWhole) {
  {
    const auto abandoned = *AtomicFile::Create(Path("a"));
    ASSERT_TRUE(abandoned->Append(std::as_bytes(std::span("x", 1))).ok());
  }
  EXPECT_EQ(Files(), 0u);
  const auto first = *AtomicFile::Create(Path("a")), second = *AtomicFile::Create(Path("a"));
  for (const char* piece : {"one", "two"}) {
    ASSERT_TRUE(first->Append(std::as_bytes(std::span(piece, 3))).ok());
    EXPECT_FALSE(fs::exists(Path("a")));
  }
  ASSERT_TRUE(first->Commit().ok());
  EXPECT_EQ(*ReadFile(Path("a")), "onetwo");
  ASSERT_TRUE(second->Commit().ok());
  EXPECT_EQ(*ReadFile(Path("a")), "") << "the later one replaces it";
}

TEST_F(FileTest, AFailedWriteLeavesNothingBehind) {
  EXPECT_EQ(WriteFileAtomically(Path("no/such/folder"), "x").code(), absl::StatusCode::kNotFound);
  fs::create_directories(root_ / "folder" / "full");
  EXPECT_FALSE(WriteFileAtomically(Path("folder"), "x").ok()) << "a folder cannot be replaced";
  EXPECT_EQ(Files(), 1u);
}

TEST_F(FileTest, AFileMayBeWrittenForItsOwnerOnlyOrWithTheModeOfAnother) {
  const auto mode = [this](const char* name) { return fs::status(Path(name)).permissions(); };
  const auto own = AtomicFile::Create(Path("own"), 0600);
  ASSERT_TRUE(own.ok() && (*own)->Commit().ok());
  EXPECT_EQ(mode("own"), fs::perms(0600));
  fs::permissions(Path("own"), fs::perms(0440));
  const int fd = open(Path("own").c_str(), O_RDONLY | O_CLOEXEC);
  const auto same = AtomicFile::Create(Path("same"));
  ASSERT_TRUE(same.ok() && (*same)->CopyAttributes(fd).ok() && (*same)->Commit().ok());
  close(fd);
  EXPECT_EQ(mode("same"), fs::perms(0440));
}

// Stands in a file's way at the moment it should get its name.
class MakeFolderAt final : public SyncPoints {
 public:
  explicit MakeFolderAt(std::string path) : path_(std::move(path)) {}
  void At(std::string_view point) override {
    if (point == "WriteFileDurably:before_rename") fs::create_directories(path_ + "/in the way");
  }

 private:
  const std::string path_;
};

TEST_F(FileTest, ADurableFileTakesTheTemporaryNameThatAKilledWriterLeft) {
  ASSERT_TRUE(WriteFileAtomically(Path("a.tmp"), "half of something longer").ok());
  ASSERT_TRUE(WriteFileDurably(Path("a"), Path("a.tmp"), "new").ok());
  EXPECT_EQ(*ReadFile(Path("a")), "new");
  EXPECT_EQ(Files(), 1u);
}

TEST_F(FileTest, ADurableFileThatCannotGetItsNameLeavesNothing) {
  MakeFolderAt in_the_way(Path("a"));
  const absl::Status status = WriteFileDurably(Path("a"), Path("a.tmp"), "new", &in_the_way);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(Path("a")), HasSubstr("rename")));
  EXPECT_FALSE(fs::exists(Path("a.tmp")));
  EXPECT_FALSE(WriteFileDurably(Path("none/a"), Path("none/a.tmp"), "new").ok());
}

TEST_F(FileTest, AReaderSeesOneWholeVersionWhileWritersRace) {
  const std::string versions[] = {std::string(10'000, 'a'), std::string(20'000, 'b')};
  ASSERT_TRUE(WriteFileAtomically(Path("a"), versions[0]).ok());
  std::vector<std::thread> writers;
  for (const std::string& version : versions) {
    writers.emplace_back([this, &version] {
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(WriteFileAtomically(Path("a"), version).ok());
    });
  }
  for (int i = 0; i < 200; ++i) {
    const auto text = ReadFile(Path("a"));
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_TRUE(*text == versions[0] || *text == versions[1]);
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(Files(), 1u);
}

}  // namespace
}  // namespace tutti
