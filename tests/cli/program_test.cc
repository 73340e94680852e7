// The built program, from outside.
#include "tests/cli/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/support/json_schema.h"

namespace tutti {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Json = nlohmann::json;

const std::string kSource = TUTTI_SOURCE_DIR;
const std::string kNoAudio = kSource + "/tests/data/audio/no_audio.mp4";

std::vector<Json> Lines(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

JsonSchema Schema() { return JsonSchema(Json::parse(testing::BytesOf(kSource + "/docs/transcript.schema.json"))); }

std::vector<std::string> FilesBelow(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  return files;
}

TEST(TranscribeProgramTest, JsonlIsOneObjectAnInputInInputOrderAfterTheSchema) {
  const Ended ended = RunProgram({"transcribe", "--model", kSource + "/models/demo-paraformer", "--vad", "none",
                                  "--format", "jsonl", kLong, kClipA, kClipB, kClipA});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  const auto lines = Lines(ended.out);
  ASSERT_EQ(lines.size(), 4u);
  const std::vector<std::string> files = {kLong, kClipA, kClipB, kClipA};
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i]["file"], files[i]);
    EXPECT_EQ(Schema().Problem(lines[i]), "");
    EXPECT_EQ(lines[i]["segments"].size(), 1u);
  }
  EXPECT_EQ(lines[1]["duration_ms"], 7100);
  EXPECT_EQ(lines[1]["text"], lines[3]["text"]);
}

TEST(TranscribeProgramTest, ABadFileIsReportedAndTheOthersFinish) {
  const Ended ended = RunProgram(
      {"transcribe", "--model", "demo-paraformer", "--format", "jsonl", kClipA, kNoAudio, "missing.wav", kClipB});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("no_audio.mp4: no audio stream"), HasSubstr("missing.wav: cannot open")));
  const auto lines = Lines(ended.out);
  ASSERT_EQ(lines.size(), 4u);
  for (const Json& line : lines) EXPECT_EQ(Schema().Problem(line), "");
  EXPECT_TRUE(lines[0].contains("text"));
  EXPECT_EQ(lines[1]["error"]["code"], "INVALID_ARGUMENT");
  EXPECT_EQ(lines[2]["error"]["code"], "NOT_FOUND");
  EXPECT_TRUE(lines[3].contains("text"));
}

TEST(TranscribeProgramTest, StandardOutputHoldsTextOnlyOneLineARecording) {
  for (const char* progress : {"auto", "bar", "json", "none"}) {
    const Ended ended =
        RunProgram({"transcribe", "--model", "demo-paraformer", "--progress", progress, kClipA, kNoAudio, kClipB});
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_EQ(std::count(ended.out.begin(), ended.out.end(), '\n'), 3) << ended.out;
    EXPECT_THAT(ended.out, AllOf(Not(HasSubstr("tutti")), Not(HasSubstr("{")), Not(HasSubstr("\x1b"))));
    EXPECT_THAT(ended.err, HasSubstr("no audio stream"));
  }
}

TEST(TranscribeProgramTest, ProgressForProgramsIsOneJsonObjectALine) {
  const Ended ended = RunProgram({"transcribe", "--model", "demo-paraformer", "--progress", "json", kClipA, kNoAudio});
  const auto events = Lines(ended.err);
  ASSERT_GE(events.size(), 4u);
  EXPECT_EQ(events.front()["event"], "start");
  EXPECT_EQ(events.back()["event"], "end");
  EXPECT_EQ(events.back()["done"], 1);
  EXPECT_EQ(events.back()["failed"], 1);
}

TEST(TranscribeProgramTest, StandardInputIsARecording) {
  const Ended file = RunProgram({"transcribe", "--model", "demo-paraformer", kClipA});
  const Ended piped = RunProgram({"transcribe", "--model", "demo-paraformer", "-"}, testing::BytesOf(kClipA));
  EXPECT_EQ(piped.exit_code, 0) << piped.err;
  EXPECT_EQ(piped.out, file.out);
  EXPECT_THAT(file.out, Not(IsEmpty()));
}

TEST(TranscribeProgramTest, EmptyStandardInputIsARecordingWithoutText) {
  const Ended ended = RunProgram({"transcribe", "--model", "demo-paraformer", "-"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(ended.out, "\n");
}

TEST(TranscribeProgramTest, FilesAreWrittenBelowTheFolderAndSkippedTheSecondTime) {
  const testing::Folder folder;
  std::vector<std::string> arguments = {"transcribe", "--model", "demo-paraformer", "--output",   folder / "out",
                                        "--format",   "txt,srt", "--summary",       folder / "s", kAudio};
  const Ended first = RunProgram(arguments);
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.out, IsEmpty());
  EXPECT_EQ(FilesBelow(folder / "out").size(), 2 * FilesBelow(kAudio).size());
  const std::string text = testing::BytesOf(folder / "out/clip_a.txt");
  EXPECT_THAT(testing::BytesOf(folder / "out/clip_a.srt"), HasSubstr("00:00:00,000 --> "));
  const auto summary = Json::parse(testing::BytesOf(folder / "s"));
  EXPECT_EQ(summary["done"], summary["recordings"]);
  EXPECT_GT(summary["audio_seconds"], 60);
  EXPECT_GT(summary["peak_memory_bytes"], 0);

  const Ended refused = RunProgram(arguments);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("say --overwrite or --skip-existing"));

  folder.Write("out/clip_a.txt", "mine");
  std::filesystem::remove(folder / "out/clip_b.srt");
  arguments.emplace_back("--skip-existing");
  const Ended again = RunProgram(arguments);
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(testing::BytesOf(folder / "out/clip_a.txt"), "mine");
  EXPECT_TRUE(std::filesystem::exists(folder / "out/clip_b.srt"));
  EXPECT_EQ(Json::parse(testing::BytesOf(folder / "s"))["recordings"], 1);

  arguments.back() = "--overwrite";
  EXPECT_EQ(RunProgram(arguments).exit_code, 0);
  EXPECT_EQ(testing::BytesOf(folder / "out/clip_a.txt"), text);
}

TEST(TranscribeProgramTest, FailFastLeavesTheRestUndone) {
  const testing::Folder folder;
  std::vector<std::string> arguments = {"transcribe", "--model",   "demo-paraformer", "--fail-fast", "--threads",
                                        "1",          "--summary", folder / "s",      kNoAudio};
  for (int i = 0; i < 400; ++i) arguments.push_back(kClipA);
  EXPECT_EQ(RunProgram(arguments).exit_code, 1);
  const auto summary = Json::parse(testing::BytesOf(folder / "s"));
  EXPECT_LT(summary["done"], 400);
  EXPECT_EQ(summary["failed"].size(), 1u);
  EXPECT_EQ(summary["failed"][0]["file"], kNoAudio);
}

TEST(TranscribeProgramTest, AModelOfAnotherFamilyNeedsNothingButItsName) {
  const std::string model = kSource + "/tests/data/fixtures/sensevoice_tiny";
  const Ended ended = RunProgram({"transcribe", "--model", model, "--vad", "none", "--format", "jsonl", kClipA});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const auto result = Lines(ended.out).at(0);
  EXPECT_EQ(result["model"], "sensevoice_tiny");
  EXPECT_EQ(result["compute_type"], "f32") << "its accuracy in other types was not measured";
  EXPECT_NE(result["text"], "");
  EXPECT_EQ(RunProgram({"models", "info", model}).exit_code, 0);
  const Ended bench = RunProgram(
      {"bench", "encoder", "--model", model, "--seconds", "1", "--batch-seconds", "2", "--duration", "0", "--json"});
  EXPECT_EQ(bench.exit_code, 0) << bench.err;
  EXPECT_GT(Json::parse(bench.out)["gops"], 0);
}

TEST(TranscribeProgramTest, VadOptionsChangeTheSegments) {
  const auto segments = [](std::vector<std::string> options) {
    options.insert(options.begin(), {"transcribe", "--model", "demo-paraformer", "--format", "jsonl"});
    options.push_back(kLong);
    const Ended ended = RunProgram(options);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return Lines(ended.out)[0]["segments"].size();
  };
  const size_t usual = segments({});
  EXPECT_LT(segments({"--vad-max-end-silence-time", "3000"}), usual);
  EXPECT_GT(segments({"--vad-max-single-segment-time", "2000", "--vad-decibel-thres", "-90"}), usual);
}

TEST(TranscribeProgramTest, SplitChannelsAreToldApart) {
  const Ended ended = RunProgram({"transcribe", "--model", "demo-paraformer", "--channels", "split", "--vad", "none",
                                  "--format", "jsonl", kSource + "/tests/data/audio/stereo_44k.flac"});
  const auto line = Lines(ended.out).at(0);
  EXPECT_EQ(line["channels"], 2);
  ASSERT_EQ(line["segments"].size(), 2u);
  EXPECT_EQ(line["segments"][1]["channel"], 1);
}

// Runs over so many recordings that they cannot be done when the signal comes.
class InterruptTest : public ::testing::TestWithParam<int> {};

TEST_P(InterruptTest, WhatIsFinishedIsWrittenAndCounted) {
  const testing::Folder folder;
  const std::string out = folder / "out";
  std::vector<std::string> arguments = {"transcribe", "--model", "demo-paraformer", "--threads", "1",
                                        "--format",   "json",    "--output",        out,         "--summary",
                                        folder / "s"};
  for (int i = 0; i < 2000; ++i) arguments.push_back(kClipA);
  Program program(arguments);
  const auto any_output = [&out] { return std::filesystem::exists(out) && !FilesBelow(out).empty(); };
  for (int i = 0; i < 12'000 && !any_output(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  program.Signal(GetParam());
  const Ended ended = program.Wait();
  EXPECT_EQ(ended.exit_code, 130) << ended.err;

  const auto files = FilesBelow(out);
  EXPECT_GT(files.size(), 0u);
  EXPECT_LT(files.size(), 2000u);
  for (const std::string& file : files) EXPECT_EQ(Schema().Problem(Json::parse(testing::BytesOf(file))), "") << file;
  const std::string count = std::to_string(files.size());
  EXPECT_THAT(ended.err, HasSubstr("interrupted: " + count + " of 2000 recordings are done and written"));
  const auto summary = Json::parse(testing::BytesOf(folder / "s"));
  EXPECT_EQ(summary["done"], files.size());
  EXPECT_EQ(summary["interrupted"], true);
}

INSTANTIATE_TEST_SUITE_P(Signals, InterruptTest, ::testing::Values(SIGINT, SIGTERM));

TEST(VadProgramTest, JsonlHoldsPairsOfMilliseconds) {
  const Ended ended = RunProgram({"vad", "--model", kSource + "/.cache/models/fsmn-vad", "--max-end-silence-time",
                                  "800", "--format", "jsonl", kLong, kClipB});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  const auto lines = Lines(ended.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].size(), 3u);
  EXPECT_EQ(lines[0]["file"], kLong);
  EXPECT_EQ(lines[0]["duration_ms"], 50000);
  EXPECT_EQ(lines[0]["segments"][0], Json::parse("[0, 5250]"));
  EXPECT_GT(lines[0]["segments"].size(), 5u);
}

TEST(VadProgramTest, EveryOptionOfFunAsrIsUnderstood) {
  const Ended ended = RunProgram({"vad",    "--max-end-silence-time",
                                  "800",    "--max-start-silence-time",
                                  "3000",   "--window-size-ms",
                                  "200",    "--sil-to-speech-time-thres",
                                  "150",    "--speech-to-sil-time-thres",
                                  "150",    "--speech-2-noise-ratio",
                                  "1.0",    "--do-extend",
                                  "1",      "--lookback-time-start-point",
                                  "200",    "--lookahead-time-end-point",
                                  "100",    "--max-single-segment-time",
                                  "60000",  "--snr-thres",
                                  "-100",   "--decibel-thres",
                                  "-100.0", "--speech-noise-thres",
                                  "0.6",    "--sil-pdf-ids",
                                  "0",      "--detect-mode",
                                  "1",      "--chunk-size",
                                  "60000",  "--noise-frame-num-used-for-snr",
                                  "100",    kLong});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(ended.out, RunProgram({"vad", kLong}).out) << "these are the defaults";
  EXPECT_NE(ended.out, RunProgram({"vad", "--dynamic-silence", "--max-end-silence-time", "3000", kLong}).out);
}

TEST(VadProgramTest, MergedSegmentsReachUpToTheLength) {
  const auto line = Lines(RunProgram({"vad", "--merge-vad", "--merge-length-s", "20", kLong}).out).at(0);
  EXPECT_EQ(line["segments"][0][0], 0);
  for (const Json& segment : line["segments"]) EXPECT_LE(segment[1].get<int>() - segment[0].get<int>(), 20000);
}

}  // namespace
}  // namespace tutti
