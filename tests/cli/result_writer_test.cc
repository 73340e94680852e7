#include "cli/result_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/folder.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;

std::vector<Input> Inputs(std::initializer_list<const char*> names) {
  std::vector<Input> inputs;
  for (const char* name : names)
    inputs.push_back({.path = name, .below = name, .bytes = 0, .status = absl::OkStatus()});
  return inputs;
}

// Standard output of a test.
class Capture {
 public:
  Capture() : file_(std::tmpfile()) {}
  ~Capture() { std::fclose(file_); }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  std::FILE* file() { return file_; }
  std::string Text() {
    std::string text(static_cast<size_t>(std::ftell(file_)), ' ');
    std::rewind(file_);
    EXPECT_EQ(std::fread(text.data(), 1, text.size(), file_), text.size());
    return text;
  }

 private:
  std::FILE* const file_;
};

TEST(ResultWriterTest, StandardOutputFollowsTheOrderOfTheInputs) {
  Capture out;
  const auto writer =
      *ResultWriter::Create(Inputs({"a", "b", "c"}), {.extensions = {"txt"}, .directory = ""}, out.file());
  ASSERT_TRUE(writer->Write(2, std::vector<std::string>{"C"}).ok());
  ASSERT_TRUE(writer->WriteFailure(0, "no A;").ok());
  ASSERT_TRUE(writer->Write(1, std::vector<std::string>{"B"}).ok());
  EXPECT_EQ(out.Text(), "no A;BC");
}

TEST(ResultWriterTest, FinishPrintsWhatWaitsForInputsThatNeverCame) {
  Capture out;
  const auto writer =
      *ResultWriter::Create(Inputs({"a", "b", "c"}), {.extensions = {"txt"}, .directory = ""}, out.file());
  ASSERT_TRUE(writer->Write(2, std::vector<std::string>{"C"}).ok());
  ASSERT_TRUE(writer->Write(0, std::vector<std::string>{"A"}).ok());
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(out.Text(), "AC");
}

TEST(ResultWriterTest, EachFormatHasItsFileAndFoldersAreMade) {
  const testing::Folder folder;
  const auto writer =
      *ResultWriter::Create(Inputs({"x/a.wav"}), {.extensions = {"txt", "json"}, .directory = folder / "deep/out"});
  ASSERT_TRUE(writer->Write(0, std::vector<std::string>{"text", "{}"}).ok());
  EXPECT_EQ(testing::BytesOf(folder / "deep/out/x/a.txt"), "text");
  EXPECT_EQ(testing::BytesOf(folder / "deep/out/x/a.json"), "{}");
}

TEST(ResultWriterTest, AnExistingFileIsRefusedUnlessToldWhatToDo) {
  const testing::Folder folder;
  folder.Write("a.txt", "old");
  const auto refused =
      ResultWriter::Create(Inputs({"a.wav", "b.wav"}), {.extensions = {"txt"}, .directory = folder.path()});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(refused.status()), HasSubstr("a.txt exists: say --overwrite or --skip-existing"));

  const auto overwriting =
      *ResultWriter::Create(Inputs({"a.wav"}), {.extensions = {"txt"}, .directory = folder.path(), .overwrite = true});
  ASSERT_TRUE(overwriting->Write(0, std::vector<std::string>{"new"}).ok());
  EXPECT_EQ(testing::BytesOf(folder / "a.txt"), "new");
}

TEST(ResultWriterTest, OnlyAnInputWithAllItsFilesIsSkipped) {
  const testing::Folder folder;
  folder.Write("a.txt");
  folder.Write("a.srt");
  folder.Write("b.txt");
  const auto writer = *ResultWriter::Create(
      Inputs({"a.wav", "b.wav", "c.wav"}),
      {.extensions = {"txt", "srt"}, .directory = folder.path(), .overwrite = false, .skip_existing = true});
  EXPECT_TRUE(writer->is_done(0));
  EXPECT_FALSE(writer->is_done(1));
  EXPECT_FALSE(writer->is_done(2));
}

TEST(ResultWriterTest, AFullStandardOutputIsAnError) {
  std::FILE* full = std::fopen("/dev/full", "w");
  ASSERT_NE(full, nullptr);
  const auto writer = *ResultWriter::Create(Inputs({"a"}), {.extensions = {"txt"}, .directory = ""}, full);
  EXPECT_THAT(Message(writer->Write(0, std::vector<std::string>{"A"})), HasSubstr("standard output: No space left"));
  std::fclose(full);
}

}  // namespace
}  // namespace tutti
