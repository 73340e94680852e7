// tutti bench, from outside.

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tests/cli/program.h"

namespace tutti {
namespace {

using Json = nlohmann::json;

TEST(BenchProgramTest, EveryPartPrintsOneObject) {
  for (const char* part : {"frontend", "vad", "encoder", "asr", "pipeline"}) {
    const bool network = std::string(part) != "frontend" && std::string(part) != "vad";
    const bool engine = network && std::string(part) != "encoder";
    const Ended ended = RunProgram({"bench", part, "--seconds", "2", "--batch-seconds", "4", "--duration", "0",
                                    "--compute-type", "f32", "--json"});
    ASSERT_EQ(ended.exit_code, 0) << part << ": " << ended.err;
    const auto result = Json::parse(ended.out);
    EXPECT_EQ(result["bench"], part);
    EXPECT_GT(result["x_real_time"], 0);
    EXPECT_EQ(result["compute_type"], "f32");
    for (const char* key : {"linear_isa", "vector_isa", "cpu", "threads", "peak_memory_bytes"}) {
      EXPECT_TRUE(result.contains(key)) << key;
    }
    for (const char* key : {"gops", "roof_gops", "share_of_roof"}) {
      EXPECT_EQ(result[key].is_number(), network) << key;
    }
    for (const char* key : {"stage_share", "latency_seconds"}) EXPECT_EQ(result[key].is_object(), engine) << key;
  }
}

TEST(BenchProgramTest, PipelineTakesMixedLengthsAndSaysWhereTheTimeGoes) {
  const Ended ended = RunProgram({"bench", "pipeline", "--lengths", "uniform:1:3", "--audio-seconds", "8",
                                  "--in-flight", "1", "--duration", "0", "--compute-type", "f32", "--json"});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const auto result = Json::parse(ended.out);
  EXPECT_EQ(result["lengths"], "uniform:1:3");
  EXPECT_GE(result["audio_seconds"], 8);
  EXPECT_LT(result["audio_seconds"], 8 + 3);
  EXPECT_GT(result["speech_seconds"], 0);
  double sum = 0;
  for (const char* stage : {"decode", "vad", "features", "recognise"}) {
    EXPECT_GT(result["stage_share"][stage], 0) << stage;
    sum += result["stage_share"][stage].get<double>();
  }
  EXPECT_NEAR(sum, 1, 1e-9);
  const auto& latency = result["latency_seconds"];
  EXPECT_GE(latency["recordings"], 3);
  EXPECT_LE(latency["recordings"], 8);
  EXPECT_GT(latency["p50"], 0);
  EXPECT_LE(latency["p50"], latency["p95"]);
  EXPECT_LE(latency["p95"], latency["p99"]);
}

// oneDNN counts them itself.
TEST(BenchProgramTest, WorkMakesNoPrimitivesHoweverLongItLasts) {
  const auto count = [](std::string_view text, std::string_view what) {
    int64_t found = 0;
    for (size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++found;
    return found;
  };
  ASSERT_EQ(setenv("ONEDNN_VERBOSE", "2", 1), 0);
  const auto bench = [](const char* audio_seconds) {
    return RunProgram({"bench", "asr", "--seconds", "2", "--batch-seconds", "4", "--duration", "0", "--audio-seconds",
                       audio_seconds});
  };
  const Ended brief = bench("8"), longer = bench("80");
  unsetenv("ONEDNN_VERBOSE");
  ASSERT_EQ(brief.exit_code, 0) << brief.err;
  ASSERT_EQ(longer.exit_code, 0) << longer.err;
  EXPECT_NE(brief.out.find(" 8 s of audio"), std::string::npos) << brief.out;
  EXPECT_NE(longer.out.find(" 80 s of audio"), std::string::npos) << longer.out;
  EXPECT_GT(count(brief.out, "onednn_verbose,create"), 0);
  EXPECT_EQ(count(longer.out, "onednn_verbose,create"), count(brief.out, "onednn_verbose,create"));
}

}  // namespace
}  // namespace tutti
