#include "server/socket_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/server/fake_server.h"
#include "tests/server/socket_client.h"

namespace tutti {
namespace {

using testing::FakeServer;
using testing::SocketClient;
using Json = nlohmann::json;

std::string Pcm(int seconds) {
  std::string bytes;
  for (int i = 0; i < seconds * 16'000; ++i) {
    const auto value = static_cast<int16_t>(8000 * std::sin(0.05 * i));
    bytes += static_cast<char>(value & 0xFF);
    bytes += static_cast<char>(value >> 8);
  }
  return bytes;
}

const Json kSpeak = {
    {"mode", "offline"}, {"wav_name", "a"}, {"wav_format", "pcm"}, {"audio_fs", 16000}, {"is_speaking", true}};
const Json kEnd = {{"is_speaking", false}};

TEST(SocketSessionTest, ARecordingIsAnsweredOnceHoweverItsBytesCome) {
  FakeServer server;
  const std::string pcm = Pcm(2);
  std::string expected;
  for (const size_t piece : {pcm.size(), size_t{1999}, size_t{160}}) {
    SocketClient client(server.port());
    EXPECT_THAT(client.handshake(), ::testing::HasSubstr("101 Switching"));
    EXPECT_THAT(client.handshake(), ::testing::HasSubstr("Sec-WebSocket-Protocol: binary"));
    client.Json(kSpeak);
    for (size_t at = 0; at < pcm.size(); at += piece) client.Binary(std::string_view(pcm).substr(at, piece));
    client.Json(kEnd);
    const auto answer = client.Next();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ((*answer)["mode"], "offline");
    EXPECT_EQ((*answer)["wav_name"], "a");
    EXPECT_NE((*answer)["text"], "");
    if (expected.empty()) expected = (*answer)["text"];
    EXPECT_EQ((*answer)["text"], expected);
  }
}

TEST(SocketSessionTest, SeveralRecordingsOfAConnectionCarryTheirNames) {
  FakeServer server;
  SocketClient client(server.port(), "/ws");
  for (const char* name : {"first", "second"}) {
    Json speak = kSpeak;
    speak["wav_name"] = name;
    client.Json(speak);
    client.Binary(Pcm(1));
    client.Json(kEnd);
    EXPECT_EQ((*client.Next())["wav_name"], name);
  }
}

TEST(SocketSessionTest, LanguageAndTaskHoldForTheUtteranceThatTheyCameWith) {
  ServeOptions options = testing::QuietOptions();
  options.models.model = {std::string(testing::kTinyWhisperName), "fake"};
  FakeServer server(options);
  SocketClient client(server.port());
  const auto ask = [&](const Json& more) {
    Json speak = kSpeak;
    speak.update(more);
    client.Json(speak);
    client.Binary(Pcm(1));
    client.Json(kEnd);
    return client.Next().value_or(Json());
  };
  // Random weights find no certain text; what counts is that they were asked.
  const Json any_text = {{"no_speech_threshold", 1}, {"temperature", 0}, {"svs_lang", "auto"}};
  ask(any_text);
  EXPECT_EQ(ask({{"language", "de"}})["error"], Json());
  const Json unknown = ask({{"language", "xx"}});
  EXPECT_EQ(unknown["error"]["param"], "language") << unknown;
  EXPECT_EQ(ask({{"language", "en"}, {"task", "translate"}})["error"], Json());
  const Json untranslated = ask({{"model", "fake"}});
  EXPECT_EQ(untranslated["error"]["param"], "task") << untranslated;
  EXPECT_EQ(ask({{"task", "transcribe"}})["error"], Json()) << "a model that takes no language is told none";
}

TEST(SocketSessionTest, WhatAClientDoesWrongIsAnErrorFrameAndTheConnectionGoesOn) {
  FakeServer server;
  SocketClient client(server.port());
  for (const char* wrong : {"no json", "[1]", R"({"mode":"3pass"})", R"({"audio_fs":"x"})"}) {
    client.Text(wrong);
    const auto answer = client.Next();
    ASSERT_TRUE(answer.has_value()) << wrong;
    EXPECT_EQ((*answer)["error"]["code"], "invalid_argument") << wrong;
    EXPECT_EQ((*answer)["text"], "") << wrong;
  }
  client.Json(kSpeak);
  client.Json({{"wav_format", "wav"}});
  client.Binary("this is no WAV file");
  client.Json(kEnd);
  EXPECT_EQ((*client.Next())["error"]["code"], "invalid_argument");
  client.Json({{"wav_format", "mp3"}, {"mode", "online"}});
  client.Binary(Pcm(1));
  EXPECT_THAT((*client.Next())["error"]["message"].get<std::string>(), ::testing::HasSubstr("wav_format"));
  client.Json({{"wav_format", "pcm"}, {"model", "other"}});
  client.Binary(Pcm(1));
  EXPECT_EQ((*client.Next())["error"]["code"], "not_found");
  client.Json({{"model", "fake"}, {"mode", "offline"}});
  client.Binary(Pcm(1));
  client.Json(kEnd);
  EXPECT_NE((*client.Next())["text"], "");
}

TEST(SocketSessionTest, LiveAudioIsAnsweredWhileItComesAndEndsWithAFinalFrame) {
  for (const char* mode : {"online", "2pass"}) {
    FakeServer server;
    SocketClient client(server.port());
    Json speak = kSpeak;
    speak["mode"] = mode;
    client.Json(speak);
    const std::string pcm = Pcm(3);
    for (size_t at = 0; at < pcm.size(); at += 3200) client.Binary(std::string_view(pcm).substr(at, 3200));
    client.Json(kEnd);
    std::string last_text;
    bool is_final = false;
    while (!is_final) {
      const auto answer = client.Next();
      ASSERT_TRUE(answer.has_value());
      EXPECT_FALSE(answer->contains("error")) << answer->dump();
      EXPECT_THAT((*answer)["mode"].get<std::string>(), ::testing::StartsWith(mode));
      is_final = (*answer)["is_final"];
      if (!(*answer)["text"].get<std::string>().empty()) last_text = (*answer)["text"];
    }
    EXPECT_NE(last_text, "") << mode;
  }
}

TEST(SocketSessionTest, AnUtteranceWithoutAudioIsAnsweredToo) {
  FakeServer server;
  for (const char* mode : {"offline", "online", "2pass"}) {
    SocketClient client(server.port());
    Json speak = kSpeak;
    speak["mode"] = mode;
    client.Json(speak);
    client.Json(kEnd);
    const auto answer = client.Next();
    ASSERT_TRUE(answer.has_value()) << mode;
    EXPECT_EQ((*answer)["text"], "") << mode;
    EXPECT_EQ((*answer)["is_final"], true) << mode;
  }
}

TEST(SocketSessionTest, WhoEndsWithIsEndIsToldAfterTheLastAnswer) {
  FakeServer server;
  for (const char* mode : {"offline", "online", "2pass"}) {
    for (const int seconds : {0, 1}) {
      SocketClient client(server.port());
      Json speak = kSpeak;
      speak["mode"] = mode;
      client.Json(speak);
      if (seconds > 0) client.Binary(Pcm(seconds));
      client.Json({{"is_speaking", false}, {"is_end", true}});
      Json last;
      for (auto answer = client.Next(); answer.has_value(); answer = client.Next()) {
        if (answer->contains("is_end")) {
          EXPECT_EQ(*answer, Json({{"mode", mode}, {"wav_name", "a"}, {"is_final", true}, {"is_end", true}}));
          break;
        }
        last = *answer;
      }
      EXPECT_EQ(last["is_final"], true) << mode;
    }
  }
}

TEST(SocketSessionTest, AnEndAfterAnErrorIsNotFinal) {
  FakeServer server;
  SocketClient client(server.port());
  const Json end = {{"is_speaking", false}, {"is_end", true}};
  const auto expect_error_then_end = [&](const std::string& code) {
    EXPECT_EQ((*client.Next())["error"]["code"], code);
    const Json last = *client.Next();
    EXPECT_EQ(last["is_end"], true) << last;
    EXPECT_EQ(last["is_final"], false) << last;
    EXPECT_EQ(last["error"]["code"], code) << last;
  };
  client.Json(kSpeak);
  client.Json({{"wav_format", "wav"}});
  client.Binary("this is no WAV file");
  client.Json(end);
  expect_error_then_end("invalid_argument");
  client.Json({{"wav_format", "pcm"}, {"model", "other"}});
  client.Json(end);  // nothing could begin
  expect_error_then_end("not_found");
}

TEST(SocketSessionTest, AudioThatIsRefusedIsToldOnceAndTheRestOfItIsPassedOver) {
  ServeOptions options = testing::QuietOptions();
  options.limits.max_body_bytes = 50'000;
  FakeServer server(options);
  SocketClient client(server.port());
  client.Json(kSpeak);
  const std::string pcm = Pcm(1);
  for (int i = 0; i < 5; ++i) client.Binary(pcm);  // the second is too much
  client.Json({{"is_speaking", false}, {"is_end", true}});
  EXPECT_EQ((*client.Next())["error"]["code"], "too_large");
  EXPECT_EQ((*client.Next())["is_end"], true) << "no answer to a recording of which a piece is missing";
  client.Binary(pcm);
  client.Json(kEnd);
  EXPECT_NE((*client.Next())["text"], "");
}

TEST(SocketSessionTest, AClientThatNamesAChunkSizeButNoModeMeansTwoPasses) {
  FakeServer server;
  SocketClient client(server.port());
  client.Json({{"chunk_size", {5, 10, 5}}, {"is_speaking", true}});
  client.Binary(Pcm(1));
  client.Json(kEnd);
  EXPECT_THAT((*client.Next())["mode"].get<std::string>(), ::testing::StartsWith("2pass-"));
}

TEST(SocketSessionTest, MalformedFramesEndTheirConnectionOnly) {
  FakeServer server;
  for (const std::string& frames :
       {std::string("\xFF\x80\0\0\0\0", 6), std::string("\x81\x05hello"), std::string("\x83\x80\0\0\0\0", 6),
        std::string("\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0", 14)}) {
    SocketClient client(server.port());
    client.Raw(frames);
    EXPECT_FALSE(client.Next().has_value());
  }
  SocketClient client(server.port());
  client.Json(kSpeak);
  client.Binary(Pcm(1));
  client.Json(kEnd);
  EXPECT_TRUE(client.Next().has_value());
}

TEST(SocketSessionTest, ADrainAnswersWhatIsBeingRecognisedAndDoesNotWaitForIdleConnections) {
  FakeServer server;
  server.door().Close();
  SocketClient idle(server.port()), busy(server.port());
  busy.Json(kSpeak);
  busy.Binary(Pcm(1));
  busy.Json(kEnd);
  server.door().WaitFor(1);
  server.server().Stop();
  server.door().Open();
  EXPECT_NE((*busy.Next())["text"], "");
  EXPECT_TRUE(server.Join());
  EXPECT_FALSE(idle.Next().has_value());
}

TEST(SocketSessionTest, AClientThatLeavesLeavesNothingBehind) {
  FakeServer server;
  for (int i = 0; i < 20; ++i) {
    SocketClient client(server.port());
    Json speak = kSpeak;
    speak["mode"] = i % 2 == 0 ? "offline" : "2pass";
    client.Json(speak);
    client.Binary(Pcm(1));
    if (i % 4 < 2) client.Json(kEnd);
  }
  EXPECT_TRUE(server.Stop()) << "no utterance of theirs is waited for";
}

}  // namespace
}  // namespace tutti
