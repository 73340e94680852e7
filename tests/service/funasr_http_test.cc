#include "service/funasr_http.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/service/example_transcript.h"

namespace tutti {
namespace {

using Json = nlohmann::json;
using testing::ExampleTranscript;

TEST(FunAsrHttpTest, RecognitionHasSentencesInMilliseconds) {
  EXPECT_EQ(Json::parse(RenderRecognition(ExampleTranscript())),
            (Json{{"text", "hello there 你好"},
                  {"sentences",
                   {{{"text", "hello there"}, {"start", 100}, {"end", 1000}},
                    {{"text", "你好"}, {"start", 1200}, {"end", 2000}}}},
                  {"code", 0}}));
  EXPECT_EQ(Json::parse(RenderRecognition(Transcript())),
            (Json{{"text", ""}, {"sentences", Json::array()}, {"code", 0}}));
}

TEST(FunAsrHttpTest, RecognitionTellsTheLanguageOfModelsThatTell) {
  Transcript transcript = ExampleTranscript();
  transcript.language = "zh";
  EXPECT_EQ(Json::parse(RenderRecognition(transcript))["language"], "zh");
}

TEST(FunAsrHttpTest, RecognitionErrorsTellTheClientsFaultFromOurs) {
  EXPECT_EQ(Json::parse(RenderRecognitionError(absl::InvalidArgumentError("m"))), (Json{{"msg", "m"}, {"code", 1}}));
  EXPECT_EQ(Json::parse(RenderRecognitionError(absl::InternalError("m")))["code"], -1);
}

TEST(FunAsrHttpTest, AsrHasSegmentsInSeconds) {
  const Json json = Json::parse(RenderAsr(ExampleTranscript(), 0.469, "zh"));
  EXPECT_EQ(json["text"], "hello there 你好");
  EXPECT_EQ(json["duration"], 2.345);
  EXPECT_EQ(json["processing_time"], 0.469);
  EXPECT_NEAR(json["rtf"].get<double>(), 0.2, 1e-9);
  EXPECT_EQ(json["language"], "zh");
  EXPECT_EQ(json["segments"][1], (Json{{"id", 1}, {"start", 1.2}, {"end", 2.0}, {"text", "你好"}}));
  const Json empty = Json::parse(RenderAsr(Transcript(), 1, ""));
  EXPECT_EQ(empty["rtf"], 0.0);
  EXPECT_FALSE(empty.contains("language"));
}

}  // namespace
}  // namespace tutti
