#include "service/job_spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/folder.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;

const char kId[] = "0123456789abcdef0123456789abcdef";
const char kOther[] = "ffffffffffffffffffffffffffffffff";

TEST(JobSpoolTest, AKeptUploadLiesWhereItsJobLooks) {
  const testing::Folder folder;
  const std::string path = JobAudioPath(folder.path(), kId);
  ASSERT_EQ(KeepUpload(folder.Write("upload-1", "audio"), path), absl::OkStatus());
  EXPECT_EQ(testing::BytesOf(path), "audio");
  EXPECT_FALSE(std::filesystem::exists(folder / "upload-1"));
}

TEST(JobSpoolTest, AnUploadThatCannotBeKeptStays) {
  const testing::Folder folder;
  const std::string upload = folder.Write("upload-1", "audio");
  const absl::Status status = KeepUpload(upload, folder / "missing/job");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(status), HasSubstr("upload-1: cannot rename to "));
  EXPECT_EQ(testing::BytesOf(upload), "audio");
  EXPECT_EQ(KeepUpload(folder / "upload-2", JobAudioPath(folder.path(), kId)).code(), absl::StatusCode::kNotFound);
}

TEST(JobSpoolTest, OnlyAudioThatNoJobRefersToIsRemoved) {
  const testing::Folder folder;
  const std::string used = folder.Write(std::string("job-") + kId + ".audio", "12345");
  const std::string left_over = folder.Write(std::string("job-") + kOther + ".audio", "2");
  for (const char* foreign : {"job-notes.audio", "holiday.wav", "job-.audio", "job-0123"}) folder.Write(foreign, "3");
  const auto bytes_in_use = RemoveLeftOverAudio(folder.path(), {used});
  ASSERT_TRUE(bytes_in_use.ok()) << bytes_in_use.status();
  EXPECT_EQ(*bytes_in_use, 5);
  EXPECT_FALSE(std::filesystem::exists(left_over));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 5);
}

TEST(JobSpoolTest, AFolderThatIsMissingIsNamed) {
  EXPECT_THAT(Message(RemoveLeftOverAudio("/no/such/folder", {}).status()), HasSubstr("/no/such/folder: cannot list"));
}

}  // namespace
}  // namespace tutti
