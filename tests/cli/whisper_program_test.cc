#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/program.h"

namespace tutti {
namespace {

using ::testing::AllOf;

using ::testing::HasSubstr;
using ::testing::Not;

using WhisperJson = nlohmann::json;

const std::string kPrompts = TUTTI_SOURCE_DIR "/.cache/samples/prompts/";
const std::string kTinyWhisper = TUTTI_SOURCE_DIR "/tests/data/fixtures/whisper_tiny";

std::vector<WhisperJson> ResultsOf(const std::vector<std::string>& options, const std::vector<std::string>& files) {
  std::vector<std::string> arguments = {"transcribe", "--format", "jsonl", "--progress", "none"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.insert(arguments.end(), files.begin(), files.end());
  const Ended ended = RunProgram(arguments);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  std::vector<WhisperJson> results;
  for (size_t begin = 0; begin < ended.out.size();) {
    const size_t end = std::min(ended.out.find('\n', begin), ended.out.size());
    results.push_back(WhisperJson::parse(ended.out.substr(begin, end - begin)));
    results.back().erase("timings");
    begin = end + 1;
  }
  return results;
}

std::string Letters(const std::string& text) {
  std::string letters;
  for (const char c : text) {
    if (std::isalpha(static_cast<unsigned char>(c))) letters += static_cast<char>(std::tolower(c));
  }
  return letters;
}

// whisper-base comes with `make models`.
TEST(WhisperProgramTest, WritesDownWhatIsSaid) {
  const auto results = ResultsOf({"--model", "whisper-base", "--language", "en"},
                                 {kPrompts + "vm-goodbye.g722", kPrompts + "conf-onlyperson.g722"});
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(Letters(results[0]["text"]), "goodbye");
  EXPECT_EQ(Letters(results[1]["text"]), "youarecurrentlytheonlypersoninthisconference");
  EXPECT_EQ(results[1]["segments"].size(), 1U);
}

// A network of random weights says something about everything; what matters here is that it is the same.
TEST(WhisperProgramTest, ThreadsBatchesAndProcessesChangeNoByte) {
  const std::vector<std::string> files = {TUTTI_SOURCE_DIR "/tests/data/fixtures/audio/long.wav",
                                          TUTTI_SOURCE_DIR "/tests/data/fixtures/audio/clip_a.wav",
                                          TUTTI_SOURCE_DIR "/tests/data/fixtures/audio/clip_b.wav"};
  const std::vector<std::string> model = {
      "--model",     kTinyWhisper, "--no-speech-threshold",      "1",
      "--beam-size", "2",          "--without-timestamps=false", "--word-timestamps"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), model.begin(), model.end());
    return ResultsOf(more, files);
  };
  const auto alone = with({"--threads", "1", "--batch-seconds", "0.1"});
  ASSERT_EQ(alone.size(), 3U);
  EXPECT_GT(alone[0]["segments"].size(), 1U);
  EXPECT_FALSE(alone[1]["text"].get<std::string>().empty());
  EXPECT_EQ(with({"--threads", "1"}), alone);
  EXPECT_EQ(with({"--threads", "4"}), alone);
  EXPECT_EQ(with({"--threads", "2", "--latency"}), alone);
  EXPECT_EQ(with({"--isolation", "process", "--processes", "2", "--threads", "1"}), alone);
}

TEST(WhisperProgramTest, WordsHaveTheTimesAtWhichTheyAreSpoken) {
  const std::vector<std::string> model = {"--model", "whisper-base", "--language", "en", "--word-timestamps"};
  const auto result = ResultsOf(model, {kPrompts + "conf-onlyperson.g722"})[0];
  const auto& segment = result["segments"][0];
  std::vector<std::string> words;
  int64_t reached_ms = segment["start_ms"];
  EXPECT_EQ(segment["tokens"][0]["start_ms"], reached_ms);
  for (const auto& token : segment["tokens"]) {
    words.push_back(Letters(token["text"]));
    EXPECT_GE(token["start_ms"], reached_ms);
    EXPECT_GT(token["end_ms"], token["start_ms"]);
    EXPECT_LE(token["score"], 0);
    reached_ms = token["end_ms"];
  }
  EXPECT_EQ(words,
            (std::vector<std::string>{"you", "are", "currently", "the", "only", "person", "in", "this", "conference"}));
  EXPECT_EQ(segment["end_ms"], reached_ms);
  EXPECT_LE(reached_ms, result["duration_ms"]);
}

TEST(WhisperProgramTest, ACallIsDividedByTheTimesThatTheModelMakes) {
  const std::string call = TUTTI_SOURCE_DIR "/.cache/samples/calls/call_01.g722";
  const std::vector<std::string> model = {"--model", "whisper-base", "--language", "en", "--beam-size", "1"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), model.begin(), model.end());
    return ResultsOf(more, {call})[0];
  };
  const auto windows = with({});
  const auto divided = with({"--without-timestamps=false"});
  EXPECT_GT(divided["segments"].size(), windows["segments"].size());
  int64_t reached_ms = 0;
  for (const auto& segment : divided["segments"]) {
    EXPECT_GE(segment["start_ms"], reached_ms);
    EXPECT_GE(segment["end_ms"], segment["start_ms"]);
    reached_ms = segment["end_ms"];
  }
  EXPECT_LE(reached_ms, divided["duration_ms"]);
  EXPECT_GT(with({"--window-seconds", "10"})["segments"].size(), windows["segments"].size());
}

TEST(WhisperProgramTest, SubtitlesAreCutBetweenWordsWithoutBeingAskedTo) {
  const std::string file = TUTTI_SOURCE_DIR "/tests/data/fixtures/audio/long.wav";
  const Ended ended = RunProgram({"transcribe", "--model", kTinyWhisper, "--no-speech-threshold", "1", "--temperature",
                                  "0", "--format", "srt", file});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  size_t cues = 0;
  for (size_t at = 0; (at = ended.out.find(" --> ", at)) != std::string::npos; ++at) ++cues;
  EXPECT_GT(cues, 4U) << "in two windows at most:\n" << ended.out;
}

TEST(WhisperProgramTest, ALanguageThatTheModelDoesNotHaveIsRefusedWithThoseThatItHas) {
  const Ended ended =
      RunProgram({"transcribe", "--model", kTinyWhisper, "--language", "xx", kPrompts + "vm-goodbye.g722"});
  EXPECT_EQ(ended.exit_code, 2) << "wrong usage, whatever the recordings";
  EXPECT_THAT(ended.err, AllOf(HasSubstr("language: 'xx'"), HasSubstr("en, zh"), Not(HasSubstr("vm-goodbye"))));
  EXPECT_EQ(ended.out, "");
}

TEST(WhisperProgramTest, OptionsOfTheSearchAreWrongUsageForAModelWithoutOne) {
  const std::string demo = TUTTI_SOURCE_DIR "/models/demo-paraformer";
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{"--language", "en"}, {"--task", "translate"}, {"--beam-size", "1"}}) {
    std::vector<std::string> command = {"transcribe", "--model", demo, "--vad", "none", kPrompts + "vm-goodbye.g722"};
    command.insert(command.end(), options.begin(), options.end());
    const Ended ended = RunProgram(command);
    EXPECT_EQ(ended.exit_code, 2) << options.front();
    EXPECT_THAT(ended.err, HasSubstr("this model")) << options.front();
    EXPECT_EQ(ended.out, "") << options.front();
  }
}

}  // namespace
}  // namespace tutti
