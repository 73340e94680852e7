#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/server/fake_server.h"

namespace tutti::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kAlive = R"({"status":"ok"})";

std::string Chunked(std::string_view body, size_t size) {
  std::string chunks;
  for (size_t i = 0; i < body.size(); i += size) {
    const std::string_view piece = body.substr(i, size);
    chunks += fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
  }
  return chunks + "0\r\n\r\n";
}

std::string HeadOfUpload(std::string_view framing) {
  return fmt::format("POST /v1/transcribe?format=txt HTTP/1.1\r\nHost: test\r\nContent-Type: audio/wav\r\n{}\r\n\r\n",
                     framing);
}

TEST(HttpTest, AConnectionServesRequestAfterRequest) {
  FakeServer server;
  Client client(server.port());
  for (int i = 0; i < 5; ++i) {
    const Answer answer = client.Ask(MakeRequest("GET", "/healthz"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("connection"), "keep-alive");
    EXPECT_EQ(answer.body, kAlive);
  }
}

TEST(HttpTest, AConnectionEndsWhenTheClientAsksForIt) {
  FakeServer server;
  Client client(server.port());
  EXPECT_EQ(client.Ask(MakeRequest("GET", "/healthz", {{"Connection", "close"}})).header("connection"), "close");
  EXPECT_TRUE(client.IsClosed());
  Client old(server.port());
  EXPECT_EQ(old.Ask("GET /healthz HTTP/1.0\r\n\r\n").status, 200);
  EXPECT_TRUE(old.IsClosed());
}

TEST(HttpTest, PipelinedRequestsAreAnsweredInOrder) {
  FakeServer server;
  const std::string wav = Wav(1, 200);
  Client client(server.port());
  ASSERT_TRUE(client.Send(PostForm("/v1/transcribe", {{"format", "txt"}}, wav) + MakeRequest("GET", "/healthz") +
                          MakeRequest("GET", "/nothing")));
  EXPECT_EQ(client.Read().body, TextOf(wav) + "\n");
  EXPECT_EQ(client.Read().body, kAlive);
  EXPECT_EQ(client.Read().status, 404);
}

TEST(HttpTest, HeadIsGetWithoutTheBody) {
  FakeServer server;
  for (const char* path : {"/healthz", "/v1/models", "/metrics", "/", "/nothing"}) {
    Client client(server.port());
    const int status = server.Get(path).status;
    ASSERT_TRUE(client.Send(MakeRequest("HEAD", path) + MakeRequest("GET", "/healthz")));
    const Answer head = client.Read(true);
    EXPECT_EQ(head.status, status) << path;
    EXPECT_NE(head.header("content-length"), "0") << path;
    EXPECT_EQ(client.Read().body, kAlive) << path;
  }
}

TEST(HttpTest, ContinueComesBeforeTheBody) {
  FakeServer server;
  const std::string wav = Wav(1, 200);
  Client client(server.port());
  ASSERT_TRUE(client.Send(HeadOfUpload(fmt::format("Expect: 100-continue\r\nContent-Length: {}", wav.size()))));
  EXPECT_EQ(client.Read().status, 100);
  EXPECT_EQ(client.Ask(wav).body, TextOf(wav) + "\n");
}

TEST(HttpTest, WhoIsRefusedIsNotToldToContinue) {
  ServeOptions options = QuietOptions();
  options.limits.max_body_bytes = 1000;
  FakeServer server(options);
  Client client(server.port());
  const Answer answer = client.Ask(HeadOfUpload("Expect: 100-continue\r\nContent-Length: 1001"));
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.IsClosed());
}

TEST(HttpTest, ChunksOfAnySizeMakeTheSameBody) {
  FakeServer server;
  const std::string wav = Wav(1, 200), text = TextOf(wav) + "\n";
  for (const size_t size : {1, 7, 1000, 100'000}) {
    EXPECT_EQ(server.Ask(HeadOfUpload("Transfer-Encoding: chunked") + Chunked(wav, size)).body, text) << size;
  }
}

TEST(HttpTest, ARequestMayComeByteByByte) {
  FakeServer server;
  const std::string wav = Wav(1, 50);
  Client client(server.port());
  for (const char byte : HeadOfUpload("Transfer-Encoding: chunked") + Chunked(wav, 100)) {
    ASSERT_TRUE(client.Send({&byte, 1}));
  }
  EXPECT_EQ(client.Read().body, TextOf(wav) + "\n");
}

TEST(HttpTest, AChunkedBodyOfNothingMayComeByteByByte) {
  FakeServer server;
  const std::string request = HeadOfUpload("Transfer-Encoding: chunked") + "0\r\n\r\n";
  Client client(server.port());
  for (const char byte : request) ASSERT_TRUE(client.Send({&byte, 1}));
  EXPECT_EQ(client.Read().body, server.Ask(request).body);
}

TEST(HttpTest, ABodyBeyondTheLimitIsRefusedByItsLengthBeforeItComes) {
  ServeOptions options = QuietOptions();
  options.limits.max_body_bytes = 1000;
  FakeServer server(options);
  const Answer answer = server.Ask(HeadOfUpload("Content-Length: 1001"));
  EXPECT_EQ(answer.status, 413);
  EXPECT_THAT(answer.body, HasSubstr("1000"));
}

TEST(HttpTest, ABodyBeyondTheLimitIsRefusedWhenItHasNoLength) {
  ServeOptions options = QuietOptions();
  options.limits.max_body_bytes = 1000;
  FakeServer server(options);
  Client client(server.port());
  const Answer answer = client.Ask(HeadOfUpload("Transfer-Encoding: chunked") + Chunked(std::string(1001, 'x'), 100));
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.header("connection"), "close");
}

TEST(HttpTest, ABodyAtTheLimitIsNotRefused) {
  const std::string wav = Wav(1, 100);
  ServeOptions options = QuietOptions();
  options.limits.max_body_bytes = std::ssize(wav);
  FakeServer server(options);
  EXPECT_EQ(server.Ask(HeadOfUpload("Transfer-Encoding: chunked") + Chunked(wav, 100)).status, 200);
  EXPECT_EQ(server.Ask(HeadOfUpload(fmt::format("Content-Length: {}", wav.size())) + wav).status, 200);
}

TEST(HttpTest, AHeaderBeyondTheLimitIsRefused) {
  FakeServer server;
  EXPECT_EQ(server.Get("/healthz", {{"X-Long", std::string(31 << 10, 'x')}}).status, 200);
  EXPECT_EQ(server.Get("/healthz", {{"X-Long", std::string(40 << 10, 'x')}}).status, 431);
}

TEST(HttpTest, AHeaderThatDoesNotComeInTimeIsRefused) {
  ServeOptions options = QuietOptions();
  options.limits.header_seconds = 0.1;
  FakeServer server(options);
  Client client(server.port());
  const Answer answer = client.Ask("GET /healthz HT");
  EXPECT_EQ(answer.status, 408);
  EXPECT_TRUE(client.IsClosed());
}

TEST(HttpTest, AConnectionThatAsksForNothingIsClosed) {
  ServeOptions options = QuietOptions();
  options.limits.header_seconds = 0.1;
  FakeServer server(options);
  EXPECT_TRUE(Client(server.port()).IsClosed());
}

TEST(HttpTest, ABodyThatStopsComingIsRefused) {
  ServeOptions options = QuietOptions();
  options.limits.body_seconds = 0.1;
  FakeServer server(options);
  Client client(server.port());
  const Answer answer = client.Ask(HeadOfUpload("Content-Length: 1000") + "RIFF");
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.IsClosed());
}

TEST(HttpTest, APathThatIsNotThereAndAMethodThatIsNotForItAreToldApart) {
  FakeServer server;
  EXPECT_EQ(server.Get("/v1/nothing").status, 404);
  const Answer get = server.Get("/v1/transcribe");
  EXPECT_EQ(get.status, 405);
  EXPECT_EQ(get.header("allow"), "POST");
  const Answer post = server.Ask(MakeRequest("POST", "/v1/models"));
  EXPECT_EQ(post.status, 405);
  EXPECT_EQ(post.header("allow"), "GET, HEAD");
}

TEST(HttpTest, WhatIsNoRequestIsAnsweredAndClosed) {
  FakeServer server;
  for (const std::string garbage : {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "hello\r\n\r\n",
                                    "GET\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET healthz HTTP/1.1\r\n\r\n",
                                    "GET /%zz HTTP/1.1\r\n\r\n", "GET /%00 HTTP/1.1\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                                    "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                                    "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                                    "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"}) {
    Client client(server.port());
    const Answer answer = client.Ask(garbage);
    EXPECT_EQ(answer.status, 400) << garbage;
    EXPECT_EQ(answer.header("connection"), "close") << garbage;
    EXPECT_TRUE(nlohmann::json::parse(answer.body, nullptr, false).contains("error")) << answer.body;
    EXPECT_TRUE(client.IsClosed()) << garbage;
  }
}

TEST(HttpTest, BadChunksAreRefused) {
  FakeServer server;
  EXPECT_EQ(server.Ask(HeadOfUpload("Transfer-Encoding: chunked") + "hello\r\n").status, 400);
}

TEST(HttpTest, WhatStandsBetweenChunksIsBounded) {
  FakeServer server;
  const std::string wav = Wav(1, 50), long_text(100'000, 'x');
  EXPECT_EQ(server.Ask(HeadOfUpload("Transfer-Encoding: chunked") + "1;" + long_text).status, 400);
  EXPECT_EQ(server.Ask(HeadOfUpload("Transfer-Encoding: chunked") + "1\r\na\r\n0\r\nTrailer: " + long_text).status,
            400);
  const std::string chunks = Chunked(wav, 100);
  EXPECT_EQ(
      server
          .Ask(HeadOfUpload("Transfer-Encoding: chunked") + chunks.substr(0, chunks.size() - 2) + "Trailer: x\r\n\r\n")
          .status,
      200);
}

TEST(HttpTest, BadFormsAreRefused) {
  FakeServer server;
  const auto ask = [&](std::string_view type, std::string_view body) {
    return server.Ask(MakeRequest("POST", "/v1/transcribe", {{"Content-Type", std::string(type)}}, body));
  };
  const std::string wav = Wav(1, 50), good = Form({}, wav);
  EXPECT_EQ(ask(kFormType, good).status, 200);
  EXPECT_EQ(ask("multipart/form-data", good).status, 400);
  EXPECT_EQ(ask("multipart/mixed; boundary=xyz", good).status, 400);
  EXPECT_EQ(ask(kFormType, std::string_view(good).substr(0, good.size() - 10)).status, 400);
  EXPECT_EQ(ask(kFormType, "--xyz\r\n\r\nnameless\r\n--xyz--").status, 400);
  EXPECT_EQ(ask(kFormType, Form({{"file", "x"}}, wav)).status, 400) << "two files";
  EXPECT_EQ(ask(kFormType, Form({{"model", std::string(65 << 10, 'x')}}, wav)).status, 400);
  EXPECT_EQ(ask(kFormType, Form({{"model", "fake"}})).status, 400) << "no file";
}

TEST(HttpTest, ABodyThatNobodyWantsLeavesTheConnectionUsable) {
  FakeServer server;
  Client client(server.port());
  EXPECT_EQ(client.Ask(MakeRequest("POST", "/nothing", {}, std::string(500'000, 'x'))).status, 404);
  EXPECT_EQ(client.Ask(MakeRequest("GET", "/healthz")).body, kAlive);
}

// Far more than sockets buffer: who is reset before the end cannot send all of it.
TEST(HttpTest, WhoIsRefusedEarlyAndReadsOnlyWhenAllIsSentGetsTheAnswer) {
  ServeOptions options = QuietOptions();
  options.limits.max_body_bytes = 1000;
  FakeServer server(options);
  const std::string body(32 << 20, 'x');
  for (const std::string& request :
       {MakeRequest("POST", "/v1/transcribe", {}, body), MakeRequest("POST", "/nothing", {}, body),
        HeadOfUpload("Transfer-Encoding: chunked") + Chunked(body, 1 << 20)}) {
    Client client(server.port());
    EXPECT_TRUE(client.Send(request));
    const Answer answer = client.Read();
    EXPECT_GE(answer.status, 400);
    EXPECT_EQ(answer.header("connection"), "close");
    EXPECT_TRUE(client.IsClosed());
  }
}

TEST(HttpTest, WhoComesToAFullHouseIsToldSo) {
  ServeOptions options = QuietOptions();
  options.listen.max_connections = 1;
  FakeServer server(options);
  Client first(server.port());
  ASSERT_EQ(first.Ask(MakeRequest("GET", "/healthz")).status, 200);
  Client second(server.port());
  const Answer refusal = second.Read();
  EXPECT_EQ(refusal.status, 503);
  EXPECT_EQ(refusal.header("retry-after"), "1");
  first.Leave();
  EXPECT_TRUE(Eventually([&] { return server.Get("/healthz").status == 200; }));
}

}  // namespace
}  // namespace tutti::testing
