#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/server/fake_server.h"

namespace tutti::testing {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TranscribeServerTest : public ::testing::Test {
 protected:
  Answer AskForm(Headers fields) { return server_.Ask(PostForm("/v1/transcribe", fields, wav_)); }
  Answer AskRaw(const std::string& query) {
    return server_.Ask(
        MakeRequest("POST", "/v1/transcribe" + query, {{"Content-Type", "application/octet-stream"}}, wav_));
  }

  const std::string wav_ = Wav(3, 400), text_ = TextOf(wav_);
  FakeServer server_;
};

TEST_F(TranscribeServerTest, AFormAndARawBodyGiveTheSame) {
  EXPECT_EQ(Parse(AskForm({}).body)["text"], text_);
  EXPECT_EQ(Parse(AskRaw("").body)["text"], text_);
  EXPECT_EQ(Parse(AskForm({}).body)["file"], "a.wav");
  EXPECT_EQ(Parse(AskRaw("?name=b.wav").body)["file"], "b.wav");
}

TEST_F(TranscribeServerTest, EachFormatHasItsShape) {
  EXPECT_EQ(AskForm({{"format", "txt"}}).body, text_ + "\n");
  EXPECT_THAT(AskRaw("?format=srt").body, StartsWith("1\n00:00:00,"));
  EXPECT_THAT(AskRaw("?format=vtt").body, StartsWith("WEBVTT\n"));
  EXPECT_THAT(AskRaw("?format=tsv").body, HasSubstr("\t"));
  EXPECT_EQ(AskRaw("?format=json").header("content-type"), "application/json");
}

TEST_F(TranscribeServerTest, AStreamHasProgressSegmentsAndAnEnd) {
  const std::string body = AskForm({{"stream", "1"}}).body;
  const size_t segment = body.find("event: segment\n"), done = body.find("event: done\n");
  EXPECT_THAT(body, HasSubstr("event: progress\n"));
  ASSERT_NE(segment, std::string::npos) << body;
  ASSERT_NE(done, std::string::npos) << body;
  EXPECT_LT(segment, done);
  EXPECT_EQ(body.find("event: ", done + 1), std::string::npos) << "nothing follows the end";
  const size_t data = body.find("data: ", done) + 6;
  EXPECT_EQ(Parse(body.substr(data))["text"], text_);
}

TEST_F(TranscribeServerTest, AnErrorAfterTheStreamBeganIsItsEnd) {
  const Answer answer = server_.Ask(PostForm("/v1/transcribe", {{"stream", "true"}}, "this is no audio"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("event: error\ndata: {\"error\":"));
}

TEST_F(TranscribeServerTest, FieldsThatDoNotExistOrFitAreNamed) {
  for (const char* query : {"chanels=mix", "channels=both", "vad=perhaps", "max_segment_ms=1", "priority=high",
                            "format=pdf", "vad_window_size_ms=x", "raw_format=s99", "stream=2"}) {
    const Answer answer = AskRaw(std::string("?") + query);
    const std::string name(query, std::string_view(query).find('='));
    EXPECT_EQ(answer.status, 400) << query;
    EXPECT_EQ(Parse(answer.body)["error"]["param"], name) << answer.body;
  }
  EXPECT_EQ(AskRaw("?a=%zz").status, 400);
  EXPECT_EQ(AskRaw("?model=other").status, 404);
}

TEST_F(TranscribeServerTest, HeaderlessAudioIsReadAsItIsSaidToBe) {
  const Answer answer = server_.Ask(
      MakeRequest("POST", "/v1/transcribe?raw_format=s16le:16000:1", {{"Content-Type", "audio/pcm"}}, wav_.substr(44)));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(Parse(answer.body)["text"], text_);
}

TEST_F(TranscribeServerTest, ADeadlineThatIsNoneIsAnError) {
  for (const char* seconds : {"0", "-1", "soon", "1e9", "nan"}) {
    EXPECT_EQ(server_.Ask(PostForm("/v1/transcribe", {}, wav_, {{"X-Request-Timeout", seconds}})).status, 400)
        << seconds;
  }
  EXPECT_EQ(server_.Ask(PostForm("/v1/transcribe", {}, wav_, {{"X-Request-Timeout", "60"}})).status, 200);
}

TEST_F(TranscribeServerTest, PastItsDeadlineARequestIsAnswered) {
  server_.door().Close();
  Client blocking(server_.port());
  ASSERT_TRUE(blocking.Send(PostForm("/v1/transcribe", {}, wav_)));
  server_.door().WaitFor(1);
  EXPECT_EQ(server_.Ask(PostForm("/v1/transcribe", {}, wav_, {{"X-Request-Timeout", "0.05"}})).status, 504);
  server_.door().Open();
  EXPECT_EQ(blocking.Read().status, 200);
}

TEST_F(TranscribeServerTest, FunAsrsRecognitionAnswersInItsShape) {
  const Json good = Parse(server_.Ask(PostForm("/recognition", {}, wav_)).body);
  EXPECT_EQ(good["code"], 0);
  EXPECT_EQ(good["text"], text_);
  EXPECT_EQ(good["sentences"][0]["text"], text_);
  const Answer bad = server_.Ask(PostForm("/recognition", {}, "this is no audio"));
  EXPECT_NE(Parse(bad.body)["code"], 0);
  EXPECT_TRUE(Parse(bad.body)["msg"].is_string());
  const std::string audio =
      "--xyz\r\nContent-Disposition: form-data; name=\"audio\"; filename=\"a.wav\"\r\n\r\n" + wav_ + "\r\n--xyz--\r\n";
  EXPECT_EQ(Parse(server_.Ask(MakeRequest("POST", "/recognition", {{"Content-Type", kFormType}}, audio)).body)["text"],
            text_)
      << "its own clients call the file audio";
}

TEST_F(TranscribeServerTest, FunAsrsAsrAnswersInItsShape) {
  const Json good = Parse(server_.Ask(PostForm("/asr", {{"language", "zh"}}, wav_)).body);
  EXPECT_EQ(good["text"], text_);
  EXPECT_EQ(good["language"], "zh");
  EXPECT_NEAR(good["duration"].get<double>(), 0.4, 1e-9);
  EXPECT_EQ(good["segments"].size(), 1U);
  EXPECT_EQ(server_.Ask(PostForm("/asr", {}, "this is no audio")).status, 400);
}

TEST_F(TranscribeServerTest, AudioLongerThanAllowedIsRefused) {
  ServeOptions options = QuietOptions();
  options.limits.max_audio_seconds = 0.3;
  FakeServer server(options);
  const Answer answer = server.Ask(PostForm("/v1/transcribe", {}, wav_));
  EXPECT_EQ(answer.status, 413) << answer.body;
  EXPECT_EQ(server.Ask(PostForm("/v1/transcribe", {}, Wav(1, 200))).status, 200);
}

}  // namespace
}  // namespace tutti::testing
