#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "tests/server/fake_server.h"

namespace tutti::testing {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kPath = "/v1/audio/transcriptions";

// The events of a stream: what follows "data: ".
std::vector<std::string> Events(const std::string& body) {
  std::vector<std::string> events;
  for (size_t at = 0; at < body.size();) {
    const size_t end = std::min(body.find("\n\n", at), body.size());
    EXPECT_EQ(body.substr(at, 6), "data: ") << body;
    events.push_back(body.substr(at + 6, end - at - 6));
    at = end + 2;
  }
  return events;
}

class OpenAiServerTest : public ::testing::Test {
 protected:
  Answer Ask(Headers fields) { return server_.Ask(PostForm(kPath, fields, wav_)); }

  const std::string wav_ = Wav(3, 400), text_ = TextOf(wav_);
  FakeServer server_;
};

TEST_F(OpenAiServerTest, JsonIsTheDefault) {
  const Answer answer = Ask({{"model", "fake"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("content-type"), "application/json");
  EXPECT_EQ(Parse(answer.body)["text"], text_);
}

TEST_F(OpenAiServerTest, EachFormatHasItsShapeAndType) {
  const Answer text = Ask({{"response_format", "text"}});
  EXPECT_THAT(text.header("content-type"), StartsWith("text/plain"));
  EXPECT_EQ(text.body, text_ + "\n");
  EXPECT_THAT(Ask({{"response_format", "srt"}}).body, StartsWith("1\n00:00:00,"));
  EXPECT_THAT(Ask({{"response_format", "vtt"}}).body, StartsWith("WEBVTT\n"));
  const Json verbose = Parse(Ask({{"response_format", "verbose_json"}}).body);
  EXPECT_EQ(verbose["text"], text_);
  EXPECT_EQ(verbose["segments"].size(), 1U);
  EXPECT_FALSE(verbose.contains("words"));
  EXPECT_NEAR(verbose["duration"].get<double>(), 0.4, 1e-9);
}

TEST_F(OpenAiServerTest, GranularitiesChooseWhatVerboseJsonHolds) {
  const Json words = Parse(Ask({{"response_format", "verbose_json"}, {"timestamp_granularities[]", "word"}}).body);
  EXPECT_EQ(words["words"].size(), 2U);
  EXPECT_FALSE(words.contains("segments"));
}

TEST_F(OpenAiServerTest, AStreamHasTheTextInPiecesThenWholeThenAnEnd) {
  const Answer answer = Ask({{"stream", "true"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.header("content-type"), StartsWith("text/event-stream"));
  const std::vector<std::string> events = Events(answer.body);
  ASSERT_GE(events.size(), 3U);
  std::string text;
  for (size_t i = 0; i + 2 < events.size(); ++i) {
    EXPECT_EQ(Parse(events[i])["type"], "transcript.text.delta");
    text += Parse(events[i])["delta"];
  }
  EXPECT_EQ(text, text_);
  EXPECT_EQ(Parse(events[events.size() - 2])["type"], "transcript.text.done");
  EXPECT_EQ(Parse(events[events.size() - 2])["text"], text_);
  EXPECT_EQ(events.back(), "[DONE]");
}

TEST_F(OpenAiServerTest, AnErrorAfterTheStreamBeganIsAnEvent) {
  const Answer answer = server_.Ask(PostForm(kPath, {{"stream", "true"}}, "this is no audio"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, StartsWith("event: error\ndata: {\"error\":"));
}

TEST_F(OpenAiServerTest, Whisper1AndNoModelMeanTheDefault) {
  EXPECT_EQ(Ask({{"model", "whisper-1"}}).status, 200);
  EXPECT_EQ(Ask({}).status, 200);
}

TEST_F(OpenAiServerTest, AnUnknownModelIsNotFoundAndTheKnownAreListed) {
  const Answer answer = Ask({{"model", "gpt-9"}});
  EXPECT_EQ(answer.status, 404);
  EXPECT_THAT(answer.body, HasSubstr("fake"));
}

TEST_F(OpenAiServerTest, ErrorsAreOfOpenAisShapeAndNameTheField) {
  const std::pair<Headers, const char*> bad[] = {
      {{{"response_format", "yaml"}}, "response_format"},
      {{{"response_format", "diarized_json"}}, "response_format"},
      {{{"temperature", "hot"}}, "temperature"},
      {{{"stream", "maybe"}}, "stream"},
      {{{"timestamp_granularities[]", "word"}}, "timestamp_granularities[]"},
      {{{"response_format", "verbose_json"}, {"timestamp_granularities[]", "page"}}, "timestamp_granularities[]"},
  };
  for (const auto& [fields, name] : bad) {
    const Answer answer = Ask(fields);
    EXPECT_EQ(answer.status, 400) << name;
    const Json error = Parse(answer.body)["error"];
    EXPECT_EQ(error["param"], name) << answer.body;
    EXPECT_EQ(error["type"], "invalid_request_error") << answer.body;
    EXPECT_TRUE(error["message"].is_string() && error["code"].is_string()) << answer.body;
  }
}

TEST_F(OpenAiServerTest, WhatOpenAisApiHasAndNothingHereNeedsIsAccepted) {
  EXPECT_EQ(Ask({{"temperature", "0.3"},
                 {"prompt", "hi"},
                 {"language", "zh"},
                 {"include[]", "logprobs"},
                 {"chunking_strategy", "auto"},
                 {"something_else", "1"}})
                .status,
            200);
}

TEST_F(OpenAiServerTest, NoFileIsAnErrorAboutTheFile) {
  const Answer answer = server_.Ask(PostForm(kPath, {{"model", "fake"}}, ""));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(Parse(answer.body)["error"]["param"], "file");
}

TEST_F(OpenAiServerTest, WhatIsNoAudioIsTheClientsFault) {
  const Answer answer = server_.Ask(PostForm(kPath, {}, "this is no audio"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("a.wav"));
  EXPECT_THAT(answer.body, Not(HasSubstr("/upload-"))) << "the path on our disk is nobody's business";
}

TEST_F(OpenAiServerTest, ModelsAreListedAndFoundByName) {
  const Json list = Parse(server_.Get("/v1/models").body);
  EXPECT_EQ(list["object"], "list");
  EXPECT_EQ(list["data"][0]["id"], "fake");
  EXPECT_EQ(Parse(server_.Get("/v1/models/fake").body)["id"], "fake");
  EXPECT_EQ(server_.Get("/v1/models/other").status, 404);
}

class WhisperServerTest : public ::testing::Test {
 protected:
  static ServeOptions Options() {
    ServeOptions options = QuietOptions();
    options.models.model = {"fake", std::string(kTinyWhisperName)};
    return options;
  }
  Answer Ask(const std::string& path, Headers fields) {
    fields.emplace_back("response_format", "verbose_json");
    return server_.Ask(PostForm(path, fields, wav_));
  }

  static constexpr const char* kTranslate = "/v1/audio/translations";
  const std::string tiny_ = std::string(kTinyWhisperName), wav_ = Wav(3, 400);
  FakeServer server_{Options()};
};

TEST_F(WhisperServerTest, ModelsTellTheirLanguagesAndTasks) {
  const Json data = Parse(server_.Get("/v1/models").body)["data"];
  EXPECT_EQ(data[0]["languages"], Json::array());
  EXPECT_EQ(data[0]["tasks"], Json({"transcribe"}));
  EXPECT_EQ(data[1]["languages"], Json({"en", "zh", "de", "es", "ru", "ko", "fr", "ja"}));
  EXPECT_EQ(data[1]["tasks"], Json({"transcribe", "translate"}));
  EXPECT_EQ(Parse(server_.Get("/v1/models/" + tiny_).body), data[1]);
}

TEST_F(WhisperServerTest, EachRequestHasItsOwnLanguageAndTask) {
  for (const auto& [code, name] : {std::pair("de", "german"), std::pair("zh", "chinese"), std::pair("de", "german")}) {
    const Json verbose = Parse(Ask(kPath, {{"model", tiny_}, {"language", code}}).body);
    EXPECT_EQ(verbose["task"], "transcribe");
    EXPECT_EQ(verbose["language"], name);
  }
  const Json translated = Parse(Ask(kTranslate, {{"model", tiny_}}).body);
  EXPECT_EQ(translated["task"], "translate");
  EXPECT_EQ(translated["language"], "english");
}

TEST_F(WhisperServerTest, AModelThatCannotTranslateSaysSo) {
  const Answer answer = Ask(kTranslate, {{"model", "fake"}});
  EXPECT_EQ(answer.status, 400);
  const Json error = Parse(answer.body)["error"];
  EXPECT_EQ(error["param"], "model");
  EXPECT_EQ(error["type"], "invalid_request_error");
  EXPECT_THAT(error["message"].get<std::string>(), HasSubstr("'fake' only transcribes"));
}

TEST_F(WhisperServerTest, AnUnknownLanguageIsRefusedBeforeAStreamBegins) {
  for (const char* stream : {"false", "true"}) {
    const Answer answer = Ask(kPath, {{"model", tiny_}, {"language", "xx"}, {"stream", stream}});
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_EQ(Parse(answer.body)["error"]["param"], "language");
    EXPECT_THAT(answer.body, HasSubstr("en, zh"));
  }
}

TEST_F(WhisperServerTest, TuttisOwnAndFunAsrsCallsTakeLanguageAndTask) {
  const auto ask = [&](const char* path, const Headers& fields) { return server_.Ask(PostForm(path, fields, wav_)); };
  const Headers search = {{"model", tiny_}, {"no_speech_threshold", "1"}, {"language", "German"}, {"beam_size", "1"}};
  const Json transcript = Parse(ask("/v1/transcribe", search).body);
  EXPECT_EQ(transcript["segments"][0]["language"], "de");
  const Answer unknown = ask("/v1/transcribe", {{"model", tiny_}, {"language", "xx"}});
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(Parse(unknown.body)["error"]["param"], "language");
  const Answer untranslated = ask("/v1/transcribe", {{"model", "fake"}, {"task", "translate"}});
  EXPECT_EQ(untranslated.status, 400);
  EXPECT_EQ(Parse(untranslated.body)["error"]["param"], "task");

  ServeOptions options = QuietOptions();
  options.models.model = {tiny_};
  FakeServer whisper(options);
  const auto ask_whisper = [&](const char* path, const Headers& fields) {
    return whisper.Ask(PostForm(path, fields, wav_));
  };
  EXPECT_EQ(Parse(ask_whisper("/asr", {{"language", "zh"}}).body)["language"], "zh");
  for (const char* path : {"/asr", "/recognition"}) {
    EXPECT_EQ(ask_whisper(path, {{"language", "auto"}, {"spk", "false"}}).status, 200);
    const Answer refused = ask_whisper(path, {{"language", "xx"}});
    EXPECT_EQ(refused.status, 400);
    EXPECT_THAT(refused.body, HasSubstr("en, zh"));
  }
}

TEST_F(WhisperServerTest, WordsHaveTimesWhereSubtitlesAreMadeOfThem) {
  const auto speech = ReadFile(TUTTI_SOURCE_DIR "/tests/data/fixtures/audio/long.wav", 16 << 20);
  ASSERT_TRUE(speech.ok()) << speech.status();
  const auto ask = [&](const char* format, const char* stream) {
    // A network of random weights takes everything for silence or nonsense.
    const Headers fields = {{"model", tiny_},     {"language", "en"}, {"no_speech_threshold", "1"},
                            {"temperature", "0"}, {"beam_size", "1"}, {"format", format},
                            {"stream", stream}};
    return server_.Ask(PostForm("/v1/transcribe", fields, *speech)).body;
  };
  const std::string srt = ask("srt", "false");
  size_t cues = 0;
  for (size_t at = 0; (at = srt.find(" --> ", at)) != std::string::npos; ++at) ++cues;
  EXPECT_GT(cues, 4U) << "in two windows at most:\n" << srt;
  const auto token_of_stream = [&](const char* format) {
    const std::string body = ask(format, "true");
    const size_t segment = body.find("event: segment\ndata: ") + 21;
    return Parse(body.substr(segment, body.find('\n', segment) - segment))["tokens"][0];
  };
  EXPECT_TRUE(token_of_stream("vtt")["start_ms"].is_number()) << "as the page asks";
  EXPECT_TRUE(token_of_stream("json")["start_ms"].is_null());
}

TEST(ModelsServerTest, ARequestChoosesAmongModels) {
  ServeOptions options = QuietOptions();
  options.models.model = {"one", "two"};
  FakeServer server(options);
  const std::string wav = Wav(1, 200);
  for (const char* model : {"one", "two", "whisper-1"}) {
    EXPECT_EQ(server.Ask(PostForm(kPath, {{"model", model}}, wav)).status, 200) << model;
  }
  const std::string metrics = server.Get("/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("tutti_transcripts_total{model=\"one\"} 2"));
  EXPECT_THAT(metrics, HasSubstr("tutti_transcripts_total{model=\"two\"} 1"));
}

}  // namespace
}  // namespace tutti::testing
