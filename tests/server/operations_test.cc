#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/server/fake_server.h"

namespace tutti::testing {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

TEST(OperationsTest, AnIdleServiceIsAliveReadyAndHealthy) {
  FakeServer server;
  EXPECT_EQ(server.Get("/healthz").body, R"({"status":"ok"})");
  EXPECT_EQ(server.Get("/readyz").status, 200);
  const Json health = Parse(server.Get("/health").body);
  EXPECT_EQ(health["status"], "ok");
  EXPECT_EQ(health["models_loaded"], Json::array({"fake"}));
}

TEST(OperationsTest, StatusTellsTheQueue) {
  FakeServer server;
  server.door().Close();
  Client client(server.port());
  ASSERT_TRUE(client.Send(PostForm("/v1/transcribe", {}, Wav(1, 2000))));
  server.door().WaitFor(1);
  const Json busy = Parse(server.Get("/v1/status").body);
  EXPECT_EQ(busy["queue"]["running"], 1);
  EXPECT_NEAR(busy["queue"]["running_seconds"].get<double>(), 2, 0.01);
  EXPECT_EQ(busy["queue"]["limit_seconds"], 3600.0);
  EXPECT_EQ(busy["draining"], false);
  server.door().Open();
  EXPECT_EQ(client.Read().status, 200);
  const Json idle = Parse(server.Get("/v1/status").body);
  EXPECT_NEAR(idle["audio_seconds_total"].get<double>(), 2, 1e-9);
  EXPECT_EQ(server.Pending(), 0);
}

TEST(OperationsTest, MetricsCountRequestsByRouteAndStatus) {
  FakeServer server;
  for (int i = 0; i < 3; ++i) server.Get("/healthz");
  server.Get("/no/such/path");
  server.Ask(PostForm("/v1/transcribe", {{"model", "other"}}, Wav(1, 100)));
  server.Ask(PostForm("/v1/transcribe", {}, Wav(1, 100)));
  const std::string metrics = server.Get("/metrics").body;
  for (const char* line : {"tutti_http_requests_total{route=\"/healthz\",status=\"200\"} 3\n",
                           "tutti_http_requests_total{route=\"none\",status=\"404\"} 1\n",
                           "tutti_http_requests_total{route=\"/v1/transcribe\",status=\"404\"} 1\n",
                           "tutti_http_requests_total{route=\"/v1/transcribe\",status=\"200\"} 1\n",
                           "tutti_errors_total{code=\"NOT_FOUND\"} 2\n", "tutti_transcripts_total{model=\"fake\"} 1\n",
                           "tutti_queue_requests{model=\"fake\",state=\"waiting\"} 0\n", "tutti_draining 0\n"}) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
}

TEST(OperationsTest, ThePageAndItsPartsAreServedWithAPolicy) {
  FakeServer server;
  const Answer page = server.Get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.header("content-type"), HasSubstr("text/html"));
  EXPECT_THAT(page.header("content-security-policy"), HasSubstr("default-src 'self'"));
  EXPECT_EQ(page.header("x-content-type-options"), "nosniff");
  EXPECT_EQ(server.Get("/", {{"If-None-Match", page.header("etag")}}).status, 304);
  EXPECT_EQ(server.Get("/assets/app.js").status, 200);
  EXPECT_EQ(server.Get("/assets/../../etc/passwd").status, 404);
  EXPECT_EQ(server.Get("/assets/%2e%2e/secret").status, 404);
  EXPECT_TRUE(Parse(server.Get("/openapi.json").body).contains("paths"));
}

TEST(OperationsTest, ADrainFinishesWhatRunsAndTakesNothingNew) {
  FakeServer server;
  server.door().Close();
  const std::string wav = Wav(1, 300);
  Client running(server.port()), waiting(server.port()), idle(server.port());
  ASSERT_TRUE(running.Send(PostForm("/v1/transcribe", {{"format", "txt"}}, wav)));
  server.door().WaitFor(1);
  // Before the next round trips, after which the service has seen to it that the connection goes on.
  ASSERT_EQ(idle.Ask(MakeRequest("GET", "/healthz")).status, 200);
  ASSERT_TRUE(waiting.Send(PostForm("/v1/audio/transcriptions", {{"response_format", "text"}}, wav)));
  ASSERT_TRUE(Eventually([&] { return server.Pending() == 2; }));
  server.server().Stop();
  // A connection that is open may look, but not begin anything.
  ASSERT_TRUE(Eventually([&] { return !Client(server.port()).connected(); }));
  EXPECT_EQ(idle.Ask(PostForm("/v1/transcribe", {}, wav)).status, 503);
  server.door().Open();
  EXPECT_EQ(running.Read().body, TextOf(wav) + "\n");
  EXPECT_EQ(waiting.Read().body, TextOf(wav) + "\n");
  EXPECT_TRUE(server.Join());
}

TEST(OperationsTest, AnUploadThatHasBegunBeforeADrainIsAnswered) {
  FakeServer server;
  const std::string wav = Wav(1, 300), request = PostForm("/v1/transcribe", {{"format", "txt"}}, wav);
  Client client(server.port());
  ASSERT_TRUE(client.Send(request.substr(0, request.size() / 2)));
  ASSERT_TRUE(Eventually([&] { return server.Metric("tutti_uploads") == 1; }));
  server.server().Stop();
  ASSERT_TRUE(Eventually([&] { return !Client(server.port()).connected(); }));
  const Answer answer = client.Ask(request.substr(request.size() / 2));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(server.Join());
}

TEST(OperationsTest, ADrainThatTakesTooLongSaysSo) {
  ServeOptions options = QuietOptions();
  options.limits.drain_seconds = 0.05;
  FakeServer server(options);
  server.door().Close();
  Client client(server.port()), other(server.port());
  ASSERT_TRUE(client.Send(PostForm("/v1/transcribe", {{"stream", "true"}}, Wav(1, 300))));
  ASSERT_TRUE(other.Send(PostForm("/v1/transcribe", {}, Wav(1, 300))));
  server.door().WaitFor(1);
  server.server().Stop();
  EXPECT_FALSE(server.Join());
}

TEST(OperationsTest, ReadinessEndsWithADrain) {
  FakeServer server;
  server.door().Close();
  Client running(server.port()), probe(server.port());
  ASSERT_EQ(probe.Ask(MakeRequest("GET", "/readyz")).status, 200);
  Client second(server.port());
  ASSERT_EQ(second.Ask(MakeRequest("GET", "/readyz")).status, 200);
  ASSERT_TRUE(running.Send(PostForm("/v1/transcribe", {}, Wav(1, 300))));
  server.door().WaitFor(1);
  server.server().Stop();
  ASSERT_TRUE(Eventually([&] { return !Client(server.port()).connected(); }));
  EXPECT_EQ(probe.Ask(MakeRequest("GET", "/readyz")).status, 503);
  EXPECT_EQ(second.Ask(MakeRequest("GET", "/healthz")).status, 200);
  EXPECT_TRUE(server.Stop());
}

TEST(OperationsTest, ModelsAreLoadedAnewOnHangup) {
  FakeServer server;
  server.door().Close();
  const std::string wav = Wav(1, 300);
  Client client(server.port());
  ASSERT_TRUE(client.Send(PostForm("/v1/transcribe", {{"format", "txt"}}, wav)));
  server.door().WaitFor(1);
  ASSERT_EQ(kill(getpid(), SIGHUP), 0);
  ASSERT_TRUE(Eventually([&] { return server.loads() == 2; }));
  // The old model's requests are in its own queue.
  ASSERT_TRUE(Eventually([&] { return server.Pending() == 0; }));
  server.door().Open();
  EXPECT_EQ(client.Read().body, TextOf(wav) + "\n");
  EXPECT_EQ(server.Ask(PostForm("/v1/transcribe", {{"format", "txt"}}, wav)).body, TextOf(wav) + "\n");
}

TEST(OperationsTest, WhoLeavesAModelThatWasReplacedHoldsNobodyUp) {
  FakeServer server;
  server.door().Close();
  Client client(server.port());
  ASSERT_TRUE(client.Send(PostForm("/v1/transcribe", {}, Wav(1, 300))));
  server.door().WaitFor(1);
  ASSERT_EQ(kill(getpid(), SIGHUP), 0);
  ASSERT_TRUE(Eventually([&] { return server.loads() == 2; }));
  ASSERT_TRUE(Eventually([&] { return server.Pending() == 0; }));
  client.Leave();
  // The last request of the old model has left, which is in the network still.
  ASSERT_TRUE(Eventually([&] { return server.Metric("tutti_http_connections") == 1; }));
  EXPECT_EQ(server.Get("/healthz").status, 200);
}

TEST(OperationsTest, ASignalDrains) {
  FakeServer server;
  ASSERT_EQ(server.Get("/healthz").status, 200);
  ASSERT_EQ(kill(getpid(), SIGTERM), 0);
  EXPECT_TRUE(server.Join());
}

TEST(OperationsTest, AServerThatNeverRanEnds) {
  auto server =
      Server::Create(QuietOptions(), [](const ServeOptions&, const std::string& given) -> absl::StatusOr<LoadedModel> {
        std::shared_ptr<Recognizer> recognizer = MakeFake();
        auto dispatcher = std::make_unique<Dispatcher>(recognizer, DispatcherOptions{});
        return LoadedModel{.name = given, .recognizer = recognizer, .dispatcher = std::move(dispatcher)};
      });
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT((*server)->url(), ::testing::StartsWith("http://127.0.0.1:"));
}

TEST(OperationsTest, WhatCannotBeLoadedIsTold) {
  const auto server =
      Server::Create(QuietOptions(), [](const ServeOptions&, const std::string&) -> absl::StatusOr<LoadedModel> {
        return absl::NotFoundError("no weights");
      });
  EXPECT_EQ(server.status().message(), "no weights");
}

}  // namespace
}  // namespace tutti::testing
