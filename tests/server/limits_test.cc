#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "service/keys.h"
#include "tests/server/fake_server.h"
#include "tests/support/folder.h"

namespace tutti::testing {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

TEST(LimitsTest, WhoAsksTooOftenIsToldWhenToComeAgain) {
  ServeOptions options = QuietOptions();
  options.limits.requests_per_minute = 0.5;
  options.limits.request_burst = 2;
  FakeServer server(options);
  const std::string request = PostForm("/v1/transcribe", {}, Wav(1, 100));
  EXPECT_EQ(server.Ask(request).status, 200);
  EXPECT_EQ(server.Ask(request).status, 200);
  const Answer refusal = server.Ask(request);
  EXPECT_EQ(refusal.status, 429);
  EXPECT_GT(std::atoi(refusal.header("retry-after").c_str()), 60) << "a token comes in two minutes";
  EXPECT_EQ(Parse(refusal.body)["error"]["type"], "rate_limit_error");
  EXPECT_EQ(server.Get("/v1/status").status, 200) << "looking is free";
}

TEST(LimitsTest, AFullQueueRefusesAtOnce) {
  ServeOptions options = QuietOptions();
  options.limits.queue_seconds = 4;
  FakeServer server(options);
  server.door().Close();
  Client first(server.port());
  const std::string request = PostForm("/v1/transcribe", {}, Wav(1, 3900));
  ASSERT_TRUE(first.Send(request));
  server.door().WaitFor(1);
  const Answer refusal = server.Ask(request);
  EXPECT_EQ(refusal.status, 429);
  EXPECT_GE(std::atoi(refusal.header("retry-after").c_str()), 1);
  EXPECT_EQ(server.Get("/readyz").status, 503);
  server.door().Open();
  EXPECT_EQ(first.Read().status, 200);
  EXPECT_EQ(server.Get("/readyz").status, 200);
}

TEST(LimitsTest, AnUploadThatBreaksOffLeavesNothing) {
  FakeServer server;
  const std::string wav = Wav(1, 3000), form = PostForm("/v1/transcribe", {}, wav);
  const std::string raw = MakeRequest("POST", "/v1/transcribe", {{"Content-Type", "audio/wav"}}, wav);
  for (const std::string& request : {form, raw}) {
    Client client(server.port());
    ASSERT_TRUE(client.Send(request.substr(0, request.size() / 2)));
    ASSERT_TRUE(Eventually([&] { return server.Metric("tutti_uploads") == 1; }));
    ASSERT_TRUE(Eventually([&] { return server.Metric("tutti_spool_bytes") > 0; }));
    client.Leave();
    EXPECT_TRUE(server.NothingIsLeft());
  }
}

TEST(LimitsTest, WhatIsRefusedAfterItsUploadLeavesNothing) {
  FakeServer server;
  EXPECT_EQ(server.Ask(PostForm("/v1/transcribe", {{"model", "other"}}, Wav(1, 100))).status, 404);
  EXPECT_EQ(server.Ask(PostForm("/v1/transcribe", {}, "no audio")).status, 400);
  EXPECT_EQ(server.Ask(PostForm("/v1/transcribe", {}, Wav(1, 100))).status, 200);
  EXPECT_TRUE(server.NothingIsLeft());
}

TEST(LimitsTest, TooManyUploadsAtOnceAreRefused) {
  ServeOptions options = QuietOptions();
  options.limits.max_uploads = 1;
  FakeServer server(options);
  const std::string request = PostForm("/v1/transcribe", {}, Wav(1, 300));
  Client slow(server.port());
  ASSERT_TRUE(slow.Send(request.substr(0, request.size() - 10)));
  ASSERT_TRUE(Eventually([&] { return server.Metric("tutti_uploads") == 1; }));
  const Answer refusal = server.Ask(request);
  EXPECT_EQ(refusal.status, 429);
  EXPECT_NE(refusal.header("retry-after"), "");
  EXPECT_EQ(slow.Ask(request.substr(request.size() - 10)).status, 200);
  EXPECT_EQ(server.Ask(request).status, 200);
}

TEST(LimitsTest, AFullSpoolRefuses) {
  ServeOptions options = QuietOptions();
  options.limits.max_body_bytes = options.limits.spool_bytes = 10'000;
  FakeServer server(options);
  server.door().Close();
  Client client(server.port());
  ASSERT_TRUE(client.Send(PostForm("/v1/transcribe", {}, Wav(1, 300))));
  server.door().WaitFor(1);
  EXPECT_EQ(server.Ask(PostForm("/v1/transcribe", {}, Wav(1, 100))).status, 429);
  server.door().Open();
  EXPECT_EQ(client.Read().status, 200);
  EXPECT_TRUE(server.NothingIsLeft());
  EXPECT_EQ(server.Ask(PostForm("/v1/transcribe", {}, Wav(1, 100))).status, 200);
  EXPECT_TRUE(server.NothingIsLeft());
}

TEST(LimitsTest, WhoLeavesCancelsWhatHasNotStarted) {
  FakeServer server;
  server.door().Close();
  Client running(server.port());
  ASSERT_TRUE(running.Send(PostForm("/v1/transcribe", {}, Wav(1, 300))));
  server.door().WaitFor(1);
  for (const char* stream : {"false", "true"}) {
    Client waiting(server.port());
    ASSERT_TRUE(waiting.Send(PostForm("/v1/transcribe", {{"stream", stream}}, Wav(2, 300))));
    ASSERT_TRUE(Eventually([&] { return server.Pending() == 2; }));
    waiting.Leave();
    EXPECT_TRUE(Eventually([&] { return server.Pending() == 1; })) << stream;
  }
  server.door().Open();
  EXPECT_EQ(running.Read().status, 200);
  EXPECT_TRUE(server.NothingIsLeft());
  EXPECT_EQ(server.door().arrived(), 1) << "the others never came to the network";
}

class KeysServerTest : public ::testing::Test {
 protected:
  KeysServerTest() {
    one_ = *AddKey(folder_ / "keys", "one", "2026-11-25");
    two_ = *AddKey(folder_ / "keys", "two", "2026-11-25");
  }
  ServeOptions Options() {
    ServeOptions options = QuietOptions();
    options.security.keys = folder_ / "keys";
    return options;
  }
  static Headers Bearer(const std::string& key) { return {{"Authorization", "Bearer " + key}}; }

  const Folder folder_;
  std::string one_, two_;
};

TEST_F(KeysServerTest, WithoutAValidKeyNothingIsToldButLife) {
  FakeServer server(Options());
  for (const char* path : {"/v1/models", "/v1/models/fake", "/v1/status", "/metrics"}) {
    const Answer refusal = server.Get(path);
    EXPECT_EQ(refusal.status, 401) << path;
    EXPECT_EQ(refusal.header("www-authenticate"), "Bearer");
    EXPECT_EQ(Parse(refusal.body)["error"]["code"], "invalid_api_key");
    EXPECT_EQ(server.Get(path, Bearer("tutti_wrong")).status, 401) << path;
    EXPECT_EQ(server.Get(path + std::string("?key=") + one_).status, 401) << "a key in a path stands in logs";
    EXPECT_EQ(server.Get(path, Bearer(one_)).status, 200) << path;
    EXPECT_EQ(server.Get(path, {{"authorization", "bearer " + two_}}).status, 200) << path;
  }
  for (const char* path : {"/healthz", "/readyz", "/health", "/", "/openapi.json"}) {
    EXPECT_EQ(server.Get(path).status, 200) << path;
  }
  for (const char* path : {"/v1/transcribe", "/v1/audio/transcriptions", "/recognition", "/asr"}) {
    EXPECT_EQ(server.Ask(PostForm(path, {}, Wav(1, 100))).status, 401) << path;
    EXPECT_EQ(server.Ask(PostForm(path, {}, Wav(1, 100), Bearer(one_))).status, 200) << path;
  }
}

TEST_F(KeysServerTest, AStrangerIsRefusedBeforeTheBodyComes) {
  FakeServer server(Options());
  Client client(server.port());
  EXPECT_EQ(client.Ask("POST /v1/transcribe HTTP/1.1\r\nHost: test\r\nContent-Length: 100000000\r\n\r\n").status, 401);
}

TEST_F(KeysServerTest, RatesAreATenantsOwn) {
  ServeOptions options = Options();
  options.limits.requests_per_minute = 0.5;
  options.limits.request_burst = 1;
  FakeServer server(options);
  EXPECT_EQ(server.Ask(PostForm("/v1/transcribe", {}, Wav(1, 100), Bearer(one_))).status, 200);
  EXPECT_EQ(server.Ask(PostForm("/v1/transcribe", {}, Wav(1, 100), Bearer(one_))).status, 429);
  EXPECT_EQ(server.Ask(PostForm("/v1/transcribe", {}, Wav(1, 100), Bearer(two_))).status, 200);
}

TEST(CorsTest, OnlyOriginsOnTheListMayRead) {
  ServeOptions options = QuietOptions();
  options.security.cors_origins = {"https://good.example"};
  FakeServer server(options);
  const Answer good = server.Get("/v1/models", {{"Origin", "https://good.example"}});
  EXPECT_EQ(good.header("access-control-allow-origin"), "https://good.example");
  EXPECT_EQ(good.header("vary"), "Origin");
  for (const char* origin : {"https://bad.example", "https://good.example.evil", "null"}) {
    EXPECT_EQ(server.Get("/v1/models", {{"Origin", origin}}).header("access-control-allow-origin"), "") << origin;
  }
  const Answer preflight = server.Ask(MakeRequest(
      "OPTIONS", "/v1/transcribe", {{"Origin", "https://good.example"}, {"Access-Control-Request-Method", "POST"}}));
  EXPECT_EQ(preflight.status, 204);
  EXPECT_THAT(preflight.header("access-control-allow-methods"), HasSubstr("POST"));
  EXPECT_EQ(preflight.header("access-control-allow-origin"), "https://good.example");
}

TEST(CorsTest, ItIsOffByDefault) {
  FakeServer server;
  EXPECT_EQ(server.Get("/v1/models", {{"Origin", "https://a.example"}}).header("access-control-allow-origin"), "");
}

}  // namespace
}  // namespace tutti::testing
