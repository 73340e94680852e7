#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/program.h"

namespace tutti {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

const std::string kAudioFolder = TUTTI_SOURCE_DIR "/tests/data/audio/";
const std::string kModel = TUTTI_SOURCE_DIR "/models/demo-paraformer";

std::vector<std::string> Transcribe(std::vector<std::string> more) {
  std::vector<std::string> arguments = {"transcribe", "--model", kModel, "--vad", "none", "--progress", "none"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

// JSON lines without what differs between two runs anyway.
std::string WithoutTimings(const std::string& lines) {
  std::string out;
  for (size_t from = 0; from < lines.size();) {
    const size_t end = std::min(lines.find('\n', from), lines.size());
    Json line = Json::parse(lines.substr(from, end - from), nullptr, false);
    line.erase("timings");
    out += line.dump() + "\n";
    from = end + 1;
  }
  return out;
}

TEST(IsolationProgram, ProcessesWriteWhatThreadsWriteForFilesOfEveryKind) {
  const Ended threads = Program(Transcribe({"--format", "jsonl", kAudioFolder})).Wait();
  const Ended processes =
      Program(Transcribe({"--format", "jsonl", "--isolation", "process", "--processes", "2", kAudioFolder})).Wait();
  EXPECT_EQ(processes.exit_code, threads.exit_code) << processes.err;
  EXPECT_EQ(WithoutTimings(processes.out), WithoutTimings(threads.out));
  EXPECT_THAT(threads.out, HasSubstr("speech.mp3"));
}

TEST(IsolationProgram, StandardInputIsReadByAProcessThatMayOpenNothing) {
  const std::string bytes = testing::BytesOf(kAudioFolder + "speech.ogg");
  const Ended threads = Program(Transcribe({"-"}), bytes).Wait();
  const Ended processes = Program(Transcribe({"--isolation", "process", "--processes", "1", "-"}), bytes).Wait();
  EXPECT_EQ(processes.exit_code, 0) << processes.err;
  EXPECT_EQ(processes.out, threads.out);
}

TEST(IsolationProgram, TheSummaryTellsOfTheProcesses) {
  const testing::Folder folder;
  const std::string summary = folder / "summary.json";
  const Ended ended = Program(Transcribe({"--isolation", "process", "--processes", "2", "--threads", "1", "--summary",
                                          summary, kAudioFolder + "speech.mp3"}))
                          .Wait();
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const Json json = Json::parse(testing::BytesOf(summary));
  EXPECT_EQ(json["threads"], 2);
  EXPECT_EQ(json["pool"]["started"], 2);
  EXPECT_EQ(json["pool"]["died"], 0);
}

TEST(IsolationProgram, ProcessesAreReplacedAfterTheirNumberOfRecordingsAndTextsStayTheSame) {
  const testing::Folder folder;
  const std::string summary = folder / "summary.json";
  const Ended threads = Program(Transcribe({kAudioFolder})).Wait();
  const Ended processes = Program(Transcribe({"--isolation", "process", "--processes", "1", "--recycle-after", "1",
                                              "--summary", summary, kAudioFolder}))
                              .Wait();
  EXPECT_EQ(processes.out, threads.out);
  const Json pool = Json::parse(testing::BytesOf(summary))["pool"];
  EXPECT_GT(pool["recycled"], 0);
  EXPECT_EQ(pool["died"], 0);
}

TEST(IsolationProgram, ProcessesFindTheSpeechThatThreadsFind) {
  const Ended threads = Program({"vad", "--progress", "none", kAudioFolder}).Wait();
  const Ended processes =
      Program({"vad", "--progress", "none", "--isolation", "process", "--processes", "2", kAudioFolder}).Wait();
  EXPECT_EQ(processes.exit_code, threads.exit_code) << processes.err;
  EXPECT_EQ(processes.out, threads.out);
  EXPECT_THAT(threads.out, HasSubstr("speech.mp3"));
}

TEST(IsolationProgram, FlagsOfAPoolNeedAPool) {
  const Ended ended = Program(Transcribe({"--processes", "2", kAudioFolder + "speech.mp3"})).Wait();
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("--processes needs --isolation process"));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which want memory of their own
TEST(IsolationProgram, ARecordingThatTakesTooMuchMemoryIsGivenUpAndTheJobGoesOn) {
  const testing::Folder folder;
  const std::string journal = folder / "job.db";
  constexpr int kSeconds = 1500;
  std::string samples(size_t{2} * 16000 * kSeconds, '\0');
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<char>(i * i >> 5);
  const std::vector<std::string> arguments =
      Transcribe({"--isolation", "process", "--processes", "2", "--process-memory", "50", "--retries", "1", "--job",
                  journal, "--output", folder / "out", "--summary", folder / "summary.json",
                  folder.Write("long.raw", samples), kAudioFolder + "speech.mp3"});
  const Ended ended = RunProgram(arguments);
  EXPECT_EQ(ended.exit_code, 1);
  const Json summary = Json::parse(testing::BytesOf(folder / "summary.json"));
  EXPECT_EQ(summary["pool"]["quarantined"], 1);
  EXPECT_EQ(summary["done"], 1);
  EXPECT_EQ(summary["failed"][0]["code"], "INTERNAL");
  EXPECT_THAT(summary["failed"][0]["message"].get<std::string>(), HasSubstr("its process ran out of memory"));
  EXPECT_NE(testing::BytesOf(folder / "out/speech.txt"), "");
}
#endif

TEST(IsolationProgram, AModelThatDoesNotLoadIsSaidAsWithThreads) {
  const testing::Folder folder;
  const Ended ended = Program({"transcribe", "--model", folder / ".", "--vad", "none", "--isolation", "process",
                               kAudioFolder + "speech.mp3"})
                          .Wait();
  const Ended threads =
      Program({"transcribe", "--model", folder / ".", "--vad", "none", kAudioFolder + "speech.mp3"}).Wait();
  EXPECT_EQ(ended.exit_code, threads.exit_code);
  EXPECT_EQ(ended.err, threads.err);
}

}  // namespace
}  // namespace tutti
