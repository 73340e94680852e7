#include "service/spool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/file_size_limit.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;
using testing::BytesOf;
using testing::Folder;

std::shared_ptr<Spool> Make(const std::string& folder, int64_t max_bytes) {
  auto spool = Spool::Create(folder, max_bytes);
  EXPECT_TRUE(spool.ok()) << spool.status();
  return *std::move(spool);
}

TEST(SpoolTest, AFileHoldsWhatWasAppendedAndGoesWithItsLastHolder) {
  const Folder folder;
  const auto spool = Make(folder / "spool", 1000);
  auto file = *spool->NewFile();
  ASSERT_TRUE(file->Append("hello ").ok());
  ASSERT_TRUE(file->Append("").ok());
  ASSERT_TRUE(file->Append("world").ok());
  file->Close();
  const std::string path = file->path();
  EXPECT_EQ(BytesOf(path), "hello world");
  EXPECT_EQ(file->bytes(), 11);
  EXPECT_EQ(file->head(), "hello world");
  EXPECT_EQ(spool->bytes(), 11);
  auto another = file;
  file.reset();
  EXPECT_TRUE(fs::exists(path));
  another.reset();
  EXPECT_FALSE(fs::exists(path));
  EXPECT_EQ(spool->bytes(), 0);
}

TEST(SpoolTest, OnlyTheServiceMayReadAnUpload) {
  const Folder folder;
  const auto spool = Make(folder.path(), 1000);
  const auto file = *spool->NewFile();
  EXPECT_EQ(fs::status(file->path()).permissions() & (fs::perms::group_all | fs::perms::others_all), fs::perms::none);
}

TEST(SpoolTest, BeyondItsBoundItTakesNothingMore) {
  const Folder folder;
  const auto spool = Make(folder.path(), 10);
  auto first = *spool->NewFile();
  const auto second = *spool->NewFile();
  ASSERT_TRUE(first->Append("12345678").ok());
  EXPECT_EQ(second->Append("123").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(spool->bytes(), 8) << "what was refused does not count";
  EXPECT_TRUE(second->Append("12").ok());
  first.reset();
  EXPECT_TRUE(second->Append("12345678").ok());
}

TEST(SpoolTest, TheHeadIsTheFirstBytesHoweverTheyCome) {
  const Folder folder;
  const auto spool = Make(folder.path(), 1000);
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += static_cast<char>(i);
  for (const size_t size : {1, 7, 63, 64, 65, 100}) {
    const auto file = *spool->NewFile();
    for (size_t at = 0; at < bytes.size(); at += size) ASSERT_TRUE(file->Append(bytes.substr(at, size)).ok());
    EXPECT_EQ(file->head(), bytes.substr(0, SpoolFile::kHeadBytes)) << size;
  }
}

TEST(SpoolTest, AFolderOfItsOwnGoesWithItAndAGivenOneStays) {
  const Folder folder;
  auto given = Make(folder / "given", 10);
  given.reset();
  EXPECT_TRUE(fs::exists(folder / "given"));
  auto own = Make("", 10);
  const std::string path = own->folder();
  EXPECT_TRUE(fs::exists(path));
  own.reset();
  EXPECT_FALSE(fs::exists(path));
}

TEST(SpoolTest, AFileMayOutliveItsOwnersHoldOfTheSpool) {
  auto spool = Make("", 10);
  auto file = *spool->NewFile();
  const std::string folder = spool->folder();
  spool.reset();
  EXPECT_TRUE(file->Append("x").ok());
  file.reset();
  EXPECT_FALSE(fs::exists(folder));
}

TEST(SpoolTest, AFolderThatCannotBeIsNamed) {
  const Folder folder;
  const std::string file = folder.Write("file", "");
  const absl::Status status = Spool::Create(file + "/below", 10).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("files.spool"), std::string::npos) << status;
  EXPECT_FALSE(Spool::Create(file, 10).ok()) << "a file is no folder";
}

TEST(SpoolTest, ItsAccountIsRightWhenManyThreadsUseIt) {
  const Folder folder;
  const auto spool = Make(folder.path(), 1000);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&spool] {
      for (int j = 0; j < 50; ++j) {
        const auto file = *spool->NewFile();
        for (int k = 0; k < 5; ++k) file->Append(std::string(100, 'x')).IgnoreError();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(spool->bytes(), 0);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

std::string WavHead(uint32_t bytes_per_second) {
  std::string head(64, '\0');
  head.replace(0, 16, "RIFF????WAVEfmt ");
  std::memcpy(head.data() + 28, &bytes_per_second, sizeof(bytes_per_second));
  return head;
}

TEST(EstimateSecondsTest, WavIsExactAndOthersAreGuessedFromTheirSize) {
  EXPECT_NEAR(EstimateSeconds(WavHead(32'000), 320'044), 10, 0.01);
  EXPECT_EQ(EstimateSeconds("ID3", 80'000), 10);
  EXPECT_EQ(EstimateSeconds("fLaC", 200'000), 10);
  EXPECT_EQ(EstimateSeconds(WavHead(0), 80'000), 10) << "a header that lies is not believed";
  EXPECT_EQ(EstimateSeconds("", 0), 0.1);
}

TEST(EstimateSecondsTest, WhateverTheBytesItIsATime) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string head = random() % 2 == 0 ? WavHead(static_cast<uint32_t>(random())) : "";
    head.resize(random() % 65);
    if (head.size() > 40) head[random() % head.size()] = static_cast<char>(random());
    const auto bytes = static_cast<int64_t>((uint64_t{random()} << 32 | random()) >> (1 + random() % 63));
    const double seconds = EstimateSeconds(head, bytes);
    EXPECT_TRUE(std::isfinite(seconds) && seconds >= 0.1) << seconds;
    EXPECT_LE(seconds, std::max(0.1, static_cast<double>(bytes) / 1000));
  }
}

TEST(SpoolTest, AFullDiskIsSaidToPassAndLeavesNothing) {
  const Folder folder;
  const auto spool = Make(folder.path(), 100'000);
  {
    const testing::FileSizeLimit full(4096);
    const auto file = *spool->NewFile();
    EXPECT_EQ(file->Append(std::string(10'000, 'x')).code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_EQ(spool->bytes(), 0);
  EXPECT_TRUE(fs::is_empty(folder.path()));
  EXPECT_TRUE((*spool->NewFile())->Append(std::string(10'000, 'x')).ok());
}

TEST(SpoolTest, AFileThatIsHandedOverCountsUntilItIsTakenOff) {
  const Folder folder;
  const auto spool = Make(folder.path(), 10);
  auto file = *spool->NewFile();
  ASSERT_TRUE(file->Append("12345678").ok());
  fs::rename(file->path(), folder / "kept");
  file->HandOver();
  file.reset();
  EXPECT_EQ(spool->bytes(), 8);
  EXPECT_EQ(BytesOf(folder / "kept"), "12345678");
  EXPECT_FALSE((*spool->NewFile())->Append("123").ok());
  spool->Count(-8);
  EXPECT_EQ(spool->bytes(), 0);
}

TEST(SpoolTest, AChangedBoundIsThatOfWhatComesNext) {
  const Folder folder;
  const auto spool = Make(folder.path(), 10);
  const auto file = *spool->NewFile();
  ASSERT_TRUE(file->Append("12345678").ok());
  spool->SetMaxBytes(5);
  EXPECT_EQ(file->Append("1").code(), absl::StatusCode::kResourceExhausted);
  spool->SetMaxBytes(9);
  EXPECT_TRUE(file->Append("1").ok());
}

}  // namespace
}  // namespace tutti
