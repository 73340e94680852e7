#include "pipeline/formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "tests/support/json_schema.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Transcript TwoSegments() {
  Transcript transcript;
  transcript.file = "call.wav";
  transcript.duration_ms = 5000;
  transcript.text = "你好 press one";
  transcript.segments = {{.start_ms = 100,
                          .end_ms = 900,
                          .text = "你好",
                          .tokens = {{.text = "你", .start_ms = 100, .end_ms = 400, .score = -0.123456f},
                                     {.text = "好", .start_ms = {}, .end_ms = {}, .score = 0}}},
                         {.start_ms = 3'601'000, .end_ms = 3'602'034, .text = "press one", .tokens = {}}};
  transcript.model = "paraformer";
  transcript.compute_type = "f32";
  transcript.timings.wall = 1.5;
  return transcript;
}

JsonSchema Schema() {
  std::ifstream file(TUTTI_SOURCE_DIR "/docs/transcript.schema.json");
  return JsonSchema(nlohmann::json::parse(file));
}

TEST(FormatsTest, CuesNeedWordsWithTimesOfModelsThatSearch) {
  for (const char* name : {"txt", "json", "jsonl", "srt", "vtt", "tsv"}) {
    const bool has_cues = *ParseFormat(name) == Format::kSrt || *ParseFormat(name) == Format::kVtt;
    SearchOptions search, expected;
    expected.word_timestamps = has_cues;
    AskForTimes(*ParseFormat(name), true, search);
    EXPECT_EQ(search, expected) << name;
    SearchOptions none;
    AskForTimes(*ParseFormat(name), false, none);
    EXPECT_EQ(none, SearchOptions()) << name;
    SearchOptions asked;
    asked.word_timestamps = true;
    AskForTimes(*ParseFormat(name), true, asked);
    EXPECT_TRUE(asked.word_timestamps) << name << ": what was asked for stays";
  }
}

TEST(FormatsTest, AnUnknownFormatIsRefusedWithTheListOfThoseThereAre) {
  EXPECT_THAT(Message(ParseFormat("pdf").status()), HasSubstr("'pdf' is not known; there are txt, json, jsonl"));
}

TEST(FormatsTest, JsonFollowsTheDocumentedSchema) {
  for (const Format format : {Format::kJson, Format::kJsonl}) {
    for (const bool with_timings : {false, true}) {
      const auto json = nlohmann::json::parse(Render(TwoSegments(), format, with_timings));
      EXPECT_EQ(Schema().Problem(json), "");
      EXPECT_EQ(json.contains("timings"), with_timings);
    }
  }
  const auto error = nlohmann::json::parse(RenderError("a.wav", InvalidArgument("a.wav: no audio")));
  EXPECT_EQ(Schema().Problem(error), "");
}

TEST(FormatsTest, TheSchemaNoticesAFieldThatIsMissingUndocumentedOrOfAnotherType) {
  const auto good = nlohmann::json::parse(Render(TwoSegments(), Format::kJson));
  for (const char* change : {R"({"text": null})", R"({"surprise": 1})", R"({"segments": [{"start_ms": 1}]})"}) {
    auto bad = good;
    bad.merge_patch(nlohmann::json::parse(change));
    EXPECT_NE(Schema().Problem(bad), "") << change;
  }
}

TEST(FormatsTest, JsonlIsOneLineInAFixedOrderWithFourDigits) {
  EXPECT_EQ(Render(TwoSegments(), Format::kJsonl, false),
            R"({"file":"call.wav","duration_ms":5000,"text":"你好 press one","segments":[)"
            R"({"start_ms":100,"end_ms":900,"channel":0,"text":"你好","tokens":[)"
            R"({"text":"你","start_ms":100,"end_ms":400,"score":-0.1235},)"
            R"({"text":"好","start_ms":null,"end_ms":null,"score":0.0}]},)"
            R"({"start_ms":3601000,"end_ms":3602034,"channel":0,"text":"press one","tokens":[]}],)"
            R"("channels":1,"truncated":false,"model":"paraformer","compute_type":"f32"})"
            "\n");
}

TEST(FormatsTest, WhatASearchFoundOfASegmentStandsThereWhereItIsKnown) {
  Transcript transcript = TwoSegments();
  Segment& segment = transcript.segments[1];
  segment.avg_logprob = -0.25F;
  segment.no_speech_prob = 0.03125F;
  segment.compression_ratio = 1.5F;
  segment.temperature = 0;
  segment.language = transcript.language = "en";
  segment.language_probability = transcript.language_probability = 0.75F;
  const std::string line = Render(transcript, Format::kJsonl, false);
  EXPECT_EQ(Schema().Problem(nlohmann::json::parse(line)), "");
  EXPECT_THAT(line, HasSubstr(R"("score":0.0}]},{)")) << "nothing is known of the first";
  EXPECT_THAT(line, HasSubstr(R"("text":"press one","tokens":[],"avg_logprob":-0.25,"no_speech_prob":0.0313,)"
                              R"("compression_ratio":1.5,"temperature":0.0,"language":"en",)"
                              R"("language_probability":0.75}],)"));
  EXPECT_THAT(line, HasSubstr(R"("compute_type":"f32","language":"en","language_probability":0.75})"));
}

TEST(FormatsTest, WhatIsNoNumberAndWhatIsNoUtf8StayValidJson) {
  Transcript transcript = TwoSegments();
  transcript.file = "\xFF\xE4.wav";
  transcript.segments[0].tokens[0].score = -std::numeric_limits<float>::infinity();
  transcript.segments[0].tokens[1].score = -0.0f;
  const std::string line = Render(transcript, Format::kJsonl);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(Schema().Problem(json), "");
  EXPECT_TRUE(json["segments"][0]["tokens"][0]["score"].is_null());
  EXPECT_THAT(line, Not(HasSubstr("-0.0")));
}

TEST(FormatsTest, TextIsOneLineAndNothingForSilence) {
  EXPECT_EQ(Render(TwoSegments(), Format::kTxt), "你好 press one\n");
  EXPECT_EQ(Render({}, Format::kTxt), "");
}

TEST(FormatsTest, SrtNumbersItsCues) {
  EXPECT_EQ(Render(TwoSegments(), Format::kSrt),
            "1\n00:00:00,100 --> 00:00:00,900\n你好\n\n"
            "2\n01:00:01,000 --> 01:00:02,034\npress one\n\n");
}

TEST(FormatsTest, SubtitlesSkipSegmentsWithoutText) {
  Transcript transcript = TwoSegments();
  transcript.segments[0].text = "";
  EXPECT_EQ(Render(transcript, Format::kSrt), "1\n01:00:01,000 --> 01:00:02,034\npress one\n\n");
}

TEST(FormatsTest, VttEscapesMarkupAndNamesTheChannel) {
  Transcript transcript;
  transcript.channels = 2;
  transcript.segments = {{.start_ms = 0, .end_ms = 1000, .channel = 1, .text = "a <b> & c", .tokens = {}}};
  EXPECT_EQ(Render(transcript, Format::kVtt),
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v Channel 2>a &lt;b&gt; &amp; c\n\n");
}

TEST(FormatsTest, TsvIsAsWhisperWritesIt) {
  Transcript transcript = TwoSegments();
  transcript.segments[1].text = "press\tone";
  EXPECT_EQ(Render(transcript, Format::kTsv), "start\tend\ttext\n100\t900\t你好\n3601000\t3602034\tpress one\n");
}

}  // namespace
}  // namespace tutti
