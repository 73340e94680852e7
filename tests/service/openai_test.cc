#include "service/openai.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/service/example_transcript.h"

namespace tutti {
namespace {

using Json = nlohmann::json;
using testing::ExampleTranscript;
using ::testing::StartsWith;

absl::StatusOr<OpenAiRequest> ReadRequest(std::string_view query) {
  Fields fields;
  EXPECT_TRUE(fields.AddQuery(query).ok());
  return ReadOpenAiFields(fields);
}

Json Verbose(std::string_view query) {
  const auto request = ReadRequest(std::string(query) + "&response_format=verbose_json");
  EXPECT_TRUE(request.ok()) << request.status();
  return Json::parse(RenderOpenAi(ExampleTranscript(), *request).body);
}

TEST(OpenAiTest, WithoutFieldsItIsJsonOfTheDefaultModel) {
  const auto request = ReadRequest("");
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->model, "");
  EXPECT_EQ(request->format, OpenAiRequest::Format::kJson);
  EXPECT_FALSE(request->stream);
}

TEST(OpenAiTest, FieldsThatMakeNoSenseAreRefused) {
  for (const char* query :
       {"response_format=pdf", "response_format=diarized_json", "temperature=2", "temperature=a", "stream=x",
        "timestamp_granularities[]=word", "response_format=verbose_json&timestamp_granularities[]=letter"}) {
    EXPECT_EQ(ReadRequest(query).status().code(), absl::StatusCode::kInvalidArgument) << query;
  }
}

TEST(OpenAiTest, JsonHasTheTextAndWhatItCost) {
  const Rendered json = RenderOpenAi(ExampleTranscript(), *ReadRequest(""));
  EXPECT_EQ(json.content_type, "application/json");
  EXPECT_EQ(Json::parse(json.body),
            (Json{{"text", "hello there 你好"}, {"usage", {{"type", "duration"}, {"seconds", 3.0}}}}));
}

TEST(OpenAiTest, TextSrtAndVttAreWhatTheyAreCalled) {
  EXPECT_EQ(RenderOpenAi(ExampleTranscript(), *ReadRequest("response_format=text")).body, "hello there 你好\n");
  EXPECT_THAT(RenderOpenAi(ExampleTranscript(), *ReadRequest("response_format=srt")).body,
              StartsWith("1\n00:00:00,100 --> 00:00:01,000\nhello there\n\n2\n"));
  EXPECT_THAT(RenderOpenAi(ExampleTranscript(), *ReadRequest("response_format=vtt")).body, StartsWith("WEBVTT\n\n"));
}

TEST(OpenAiTest, VerboseJsonHasSegmentsInSeconds) {
  const Json json = Verbose("language=zh");
  EXPECT_EQ(json["task"], "transcribe");
  EXPECT_EQ(json["language"], "zh");
  EXPECT_EQ(json["duration"], 2.345);
  ASSERT_EQ(json["segments"].size(), 2U);
  EXPECT_EQ(json["segments"][1]["id"], 1);
  EXPECT_EQ(json["segments"][1]["start"], 1.2);
  EXPECT_EQ(json["segments"][1]["end"], 2.0);
  EXPECT_EQ(json["segments"][0]["avg_logprob"], -0.375);
  EXPECT_FALSE(json.contains("words"));
}

TEST(OpenAiTest, GranularitiesChooseSegmentsWordsOrBoth) {
  const Json words = Verbose("timestamp_granularities[]=word");
  EXPECT_FALSE(words.contains("segments"));
  ASSERT_EQ(words["words"].size(), 3U) << "a word without times has no place here";
  EXPECT_EQ(words["words"][1], (Json{{"word", "there"}, {"start", 0.5}, {"end", 1.0}}));
  const Json both = Verbose("timestamp_granularities[]=word&timestamp_granularities[]=segment");
  EXPECT_EQ(both["words"].size(), 3U);
  EXPECT_EQ(both["segments"].size(), 2U);
  EXPECT_EQ(Verbose("timestamp_granularities=word")["words"].size(), 3U) << "as some clients write it";
}

TEST(OpenAiTest, EventsOfAStreamAreDataLines) {
  const std::string delta = OpenAiDelta("a\n\"b\""), done = OpenAiDone(ExampleTranscript());
  for (const std::string& event : {delta, done}) {
    EXPECT_THAT(event, StartsWith("data: {"));
    EXPECT_EQ(event.find('\n'), event.size() - 2) << event;
  }
  EXPECT_EQ(Json::parse(delta.substr(6)), (Json{{"type", "transcript.text.delta"}, {"delta", "a\n\"b\""}}));
  EXPECT_EQ(Json::parse(done.substr(6))["text"], "hello there 你好");
}

TEST(OpenAiTest, AnEmptyTranscriptHasEveryFormat) {
  for (const char* format : {"json", "text", "srt", "verbose_json", "vtt"}) {
    const auto request = ReadRequest("response_format=" + std::string(format));
    ASSERT_TRUE(request.ok());
    EXPECT_NE(RenderOpenAi(Transcript(), *request).content_type, "") << format;
  }
  EXPECT_EQ(Json::parse(RenderOpenAi(Transcript(), *ReadRequest("response_format=verbose_json")).body)["segments"],
            Json::array());
}

}  // namespace
}  // namespace tutti
