#include "service/funasr_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tutti {
namespace {

using Json = nlohmann::json;

TEST(FunAsrSocketTest, CommandsOfFunAsrsClientsAreRead) {
  const auto first = ParseSocketCommand(
      R"({"mode":"2pass","chunk_size":[5,10,5],"chunk_interval":10,"audio_fs":8000,"wav_name":"m","wav_format":"pcm",
          "is_speaking":true,"hotwords":"{\"阿里巴巴\":20}","itn":true})");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->mode, SocketMode::kTwoPass);
  EXPECT_EQ(first->audio_fs, 8000);
  EXPECT_EQ(first->wav_name, "m");
  EXPECT_EQ(first->wav_format, "pcm");
  EXPECT_EQ(first->is_speaking, true);
  EXPECT_EQ(ParseSocketCommand(R"({"is_speaking": false})")->is_speaking, false);
  EXPECT_EQ(ParseSocketCommand(R"({"is_finished": true})")->is_speaking, false);
  EXPECT_FALSE(ParseSocketCommand("{}")->mode.has_value());
  EXPECT_TRUE(ParseSocketCommand(R"({"is_speaking": false, "is_end": true})")->is_end);
  EXPECT_FALSE(ParseSocketCommand(R"({"is_speaking": false})")->is_end);
}

TEST(FunAsrSocketTest, OptionsOfTheSearchAreReadWithFunAsrsHotwordsAndLanguage) {
  using Search = std::map<std::string, std::string>;
  EXPECT_EQ(ParseSocketCommand(R"({"hotwords":"{\"阿里巴巴\":20,\"tutti\":10}","svs_lang":"auto","itn":true})")->search,
            (Search{{"hotwords", "阿里巴巴 tutti"}, {"language", "auto"}}));
  EXPECT_EQ(ParseSocketCommand(R"({"hotwords":"plain words","svs_lang":"auto","language":"zh"})")->search,
            (Search{{"hotwords", "plain words"}, {"language", "zh"}}));
  EXPECT_EQ(ParseSocketCommand(R"({"task":"translate","beam_size":2,"condition_on_previous_text":true})")->search,
            (Search{{"task", "translate"}, {"beam_size", "2"}, {"condition_on_previous_text", "true"}}));
  EXPECT_EQ(ParseSocketCommand("{}")->search, Search());
}

TEST(FunAsrSocketTest, AResultTellsTheLanguageOfModelsThatTell) {
  Transcript transcript;
  transcript.language = "zh";
  EXPECT_EQ(Json::parse(RenderSocketResult("a", transcript))["language"], "zh");
  EXPECT_FALSE(Json::parse(RenderSocketResult("a", Transcript())).contains("language"));
  Segment segment{0, 100, 0, "好", {}};
  segment.language = "zh";
  EXPECT_EQ(Json::parse(RenderSocketSentence(SocketMode::kOnline, "a", segment, "好", true))["language"], "zh");
}

TEST(FunAsrSocketTest, MalformedCommandsNameTheMember) {
  for (const std::string text :
       {"", "[]", "{", "\"x\"", "{\"mode\": 1}", "{\"mode\": \"3pass\"}", "{\"audio_fs\": \"16k\"}",
        "{\"audio_fs\": 1}", "{\"is_speaking\": \"no\"}", "{\"is_end\": 1}", "{\"wav_name\": [1]}",
        "{\"language\": [1]}", "{\"beam_size\": {}}", "{\"svs_lang\": 1}"}) {
    EXPECT_EQ(ParseSocketCommand(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_THAT(Message(ParseSocketCommand("{\"audio_fs\": 1}").status()), ::testing::HasSubstr("audio_fs"));
  EXPECT_FALSE(ParseSocketCommand("{\"wav_name\": \"" + std::string(1000, 'a') + "\"}").ok());
}

TEST(FunAsrSocketTest, AResultHasTheShapeThatClientsReadWithTimesAsAString) {
  Transcript transcript;
  transcript.text = "正是 because";
  transcript.segments = {
      {430, 1130, 0, "正是 because", {{"正", 430, 670, 0}, {"是", 670, 800, 0}, {"because", 800, 1100, 0}}}};
  const Json json = Json::parse(RenderSocketResult("a.wav", transcript));
  EXPECT_EQ(json["mode"], "offline");
  EXPECT_EQ(json["wav_name"], "a.wav");
  EXPECT_EQ(json["text"], "正是 because");
  EXPECT_EQ(json["timestamp"], "[[430,670],[670,800],[800,1100]]");
  EXPECT_EQ(json["stamp_sents"][0]["text_seg"], "正 是 because");
  EXPECT_EQ(json["stamp_sents"][0]["start"], 430);
}

TEST(FunAsrSocketTest, ModesTellFirstAndSecondPassApart) {
  const Segment segment{100, 900, 0, "好", {}};
  const auto mode = [](const std::string& text) { return Json::parse(text)["mode"].get<std::string>(); };
  EXPECT_EQ(mode(RenderSocketPartial(SocketMode::kTwoPass, "a", "x")), "2pass-online");
  EXPECT_EQ(mode(RenderSocketSentence(SocketMode::kTwoPass, "a", segment, "好", false)), "2pass-offline");
  EXPECT_EQ(mode(RenderSocketPartial(SocketMode::kOnline, "a", "x")), "online");
  EXPECT_EQ(mode(RenderSocketSentence(SocketMode::kOnline, "a", segment, "好", true)), "online");
  const Json error = Json::parse(RenderSocketError(SocketMode::kOffline, "a", InvalidArgument("why")));
  EXPECT_EQ(error["text"], "");
  EXPECT_EQ(error["error"]["message"], "why");
}

TEST(FunAsrSocketTest, AnEndIsFinalUnlessSomethingFailed) {
  const Json good = Json::parse(RenderSocketEnd(SocketMode::kTwoPass, "a", absl::OkStatus()));
  EXPECT_EQ(good, Json({{"mode", "2pass"}, {"wav_name", "a"}, {"is_final", true}, {"is_end", true}}));
  const Json bad = Json::parse(RenderSocketEnd(SocketMode::kOffline, "a", InvalidArgument("why")));
  EXPECT_EQ(bad["is_final"], false);
  EXPECT_EQ(bad["is_end"], true);
  EXPECT_EQ(bad["error"]["message"], "why");
}

TEST(StableTextTest, WordsAreToldWhenTwoHypothesesAgreeAndNeverTwice) {
  StableText text;
  EXPECT_EQ(text.Update("please"), "");
  EXPECT_EQ(text.Update("please hold a"), "please");
  EXPECT_EQ(text.Update("please hold while"), " hold");
  EXPECT_EQ(text.Update("please hold while i"), " while");
  EXPECT_EQ(text.Finish("please hold while i try"), " i try");
}

TEST(StableTextTest, CharactersWithoutSpacesAreTakenOneByOne) {
  StableText text;
  EXPECT_EQ(text.Update("今天天"), "");
  EXPECT_EQ(text.Update("今天气ok好"), "今天");
  EXPECT_EQ(text.Update("今天气ok号吗"), "气ok");
  EXPECT_EQ(text.Finish("今天气ok好吗"), "好吗");
}

TEST(StableTextTest, ToldTextThatChangesHoldsBackUntilTheEnd) {
  StableText text;
  text.Update("a b");
  EXPECT_EQ(text.Update("a b c"), "a b");
  EXPECT_EQ(text.Update("x y z w"), "");
  EXPECT_EQ(text.Update("x y z w"), "");
  EXPECT_EQ(text.Finish("x y z w"), " z w");
}

}  // namespace
}  // namespace tutti
