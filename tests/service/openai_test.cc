#include "service/openai.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "service/api_error.h"
#include "tests/service/example_transcript.h"

namespace tutti {
namespace {

using Json = nlohmann::json;
using testing::ExampleTranscript;
using ::testing::StartsWith;

absl::StatusOr<OpenAiRequest> ReadRequest(std::string_view query, Task task = Task::kTranscribe) {
  Fields fields;
  EXPECT_TRUE(fields.AddQuery(query).ok());
  return ReadOpenAiFields(fields, task);
}

Json Verbose(std::string_view query, const Transcript& transcript = ExampleTranscript(),
             Task task = Task::kTranscribe) {
  const auto request = ReadRequest(std::string(query) + "&response_format=verbose_json", task);
  EXPECT_TRUE(request.ok()) << request.status();
  return Json::parse(RenderOpenAi(transcript, *request).body);
}

// Of a model that finds its text token by token.
Transcript SearchedTranscript() {
  Transcript transcript = ExampleTranscript();
  transcript.language = "zh";
  Segment& first = transcript.segments[0];
  first.avg_logprob = -0.5F;
  first.no_speech_prob = 0.25F;
  first.compression_ratio = 1.5F;
  first.temperature = 0.5F;
  first.token_ids = {7, 8};
  return transcript;
}

const ModelAbilities kWhisper = {.takes_search_options = true, .languages = {"en", "zh"}, .translates = true};

std::string FieldAtFault(const absl::Status& status) {
  const Json param = Json::parse(ErrorJson(status))["error"]["param"];
  return param.is_string() ? param.get<std::string>() : "";
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
  EXPECT_EQ(json["language"], "chinese") << "as asked for, where the model does not tell";
  EXPECT_EQ(json["duration"], 2.345);
  ASSERT_EQ(json["segments"].size(), 2U);
  EXPECT_EQ(json["segments"][1]["id"], 1);
  EXPECT_EQ(json["segments"][1]["start"], 1.2);
  EXPECT_EQ(json["segments"][1]["end"], 2.0);
  EXPECT_EQ(json["segments"][0]["avg_logprob"], -0.375);
  EXPECT_FALSE(json.contains("words"));
}

TEST(OpenAiTest, VerboseJsonHasWhatTheSearchTellsUnderOpenAisNames) {
  const Json json = Verbose("", SearchedTranscript());
  EXPECT_EQ(json["language"], "chinese");
  EXPECT_EQ(json["segments"][0], (Json{{"id", 0},
                                       {"seek", 10},
                                       {"start", 0.1},
                                       {"end", 1.0},
                                       {"text", "hello there"},
                                       {"tokens", {7, 8}},
                                       {"temperature", 0.5},
                                       {"avg_logprob", -0.5},
                                       {"compression_ratio", 1.5},
                                       {"no_speech_prob", 0.25}}));
  EXPECT_FALSE(json["segments"][1].contains("no_speech_prob")) << "nobody knows it";
}

TEST(OpenAiTest, LanguagesAreTheirEnglishNamesWhereverTheyComeFrom) {
  EXPECT_EQ(Verbose("language=ENGLISH")["language"], "english");
  EXPECT_EQ(Verbose("language=en", SearchedTranscript())["language"], "chinese") << "the model knows better";
  EXPECT_EQ(Verbose("language=tlh")["language"], "tlh");
  EXPECT_EQ(Verbose("")["language"], "");
}

TEST(OpenAiTest, ATranslationIsEnglish) {
  const Json json = Verbose("language=zh", SearchedTranscript(), Task::kTranslate);
  EXPECT_EQ(json["task"], "translate");
  EXPECT_EQ(json["language"], "english");
  EXPECT_EQ(json["segments"].size(), 2U);
}

TEST(OpenAiTest, WhatIsAskedForReachesAModelThatSearches) {
  const auto options =
      SearchOptionsOf(*ReadRequest("language=zh&prompt=Dear+all&temperature=0.25", Task::kTranslate), "m", kWhisper);
  ASSERT_TRUE(options.ok()) << options.status();
  SearchOptions expected;
  expected.language = "zh";
  expected.task = Task::kTranslate;
  expected.temperature = {0.25F};
  expected.initial_prompt = "Dear all";
  EXPECT_EQ(*options, expected);
  EXPECT_EQ(*SearchOptionsOf(*ReadRequest("temperature=0"), "m", kWhisper), SearchOptions())
      << "the model's own choice";
}

TEST(OpenAiTest, TimesAreLookedForWhereTheAnswerHasThem) {
  const auto search = [](std::string_view query) {
    const auto options = SearchOptionsOf(*ReadRequest(query), "m", kWhisper);
    EXPECT_TRUE(options.ok()) << options.status();
    return *options;
  };
  const std::string verbose = "response_format=verbose_json";
  SearchOptions timed;  // by words everywhere, for the text to be the same everywhere
  timed.word_timestamps = true;
  EXPECT_EQ(search(verbose), timed);
  EXPECT_EQ(search(verbose + "&timestamp_granularities[]=word"), timed);
  EXPECT_EQ(search(verbose + "&timestamp_granularities[]=segment"), timed);
  EXPECT_EQ(search("response_format=srt"), timed) << "as /v1/transcribe and tutti transcribe have it";
  EXPECT_EQ(search("response_format=vtt"), timed);
  EXPECT_EQ(search("response_format=json"), SearchOptions());
  EXPECT_EQ(search("response_format=text"), SearchOptions());
}

TEST(OpenAiTest, ASegmentOfHalfAMinuteIsDividedAsSubtitlesAre) {
  Transcript transcript = SearchedTranscript();
  Segment& window = transcript.segments.front();
  window.start_ms = 1000;
  window.end_ms = 13'000;
  window.text = "hello there. who calls?";
  window.tokens.clear();
  for (const char* word : {"hello", "there.", "who", "calls?"}) {
    const int64_t start = 1000 + static_cast<int64_t>(window.tokens.size()) * 3000;
    window.tokens.push_back({.text = word, .start_ms = start, .end_ms = start + 3000});
  }
  const Json segments = Verbose("", transcript)["segments"];
  ASSERT_EQ(segments.size(), 3U) << segments << ": two, and the one behind it";
  const Json &first = segments[0], &second = segments[1];
  EXPECT_EQ(first["text"], "hello there.");
  EXPECT_EQ(second["text"], "who calls?");
  EXPECT_EQ((std::array{first["start"], first["end"], second["start"], second["end"]}),
            (std::array<Json, 4>{1.0, 7.0, 7.0, 13.0}));
  EXPECT_EQ(first["tokens"], (Json{7, 8}));
  EXPECT_EQ(second["tokens"], Json::array()) << "told once";
  for (const char* of_the_window : {"seek", "avg_logprob", "no_speech_prob", "compression_ratio", "temperature"}) {
    EXPECT_EQ(first[of_the_window], second[of_the_window]) << of_the_window;
  }
  EXPECT_EQ((std::array{first["id"], second["id"], segments[2]["id"]}), (std::array<Json, 3>{0, 1, 2}));
}

TEST(OpenAiTest, WhatTheModelCannotDoIsAnErrorOrPassedOverWhereClientsSendItUnasked) {
  EXPECT_EQ(FieldAtFault(SearchOptionsOf(*ReadRequest("language=xx"), "m", kWhisper).status()), "language");
  const auto all_at_once = SearchOptionsOf(*ReadRequest("language=xx&prompt=p&temperature=1"), "m", {});
  ASSERT_TRUE(all_at_once.ok()) << all_at_once.status();
  EXPECT_EQ(*all_at_once, SearchOptions());
  for (const ModelAbilities& model :
       {ModelAbilities{}, ModelAbilities{.takes_search_options = true, .languages = {"en"}}}) {
    const absl::Status status = SearchOptionsOf(*ReadRequest("", Task::kTranslate), "my-model", model).status();
    EXPECT_EQ(HttpStatusOf(status), 400);
    EXPECT_EQ(FieldAtFault(status), "model");
    EXPECT_THAT(Message(status), ::testing::HasSubstr("my-model"));
  }
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
