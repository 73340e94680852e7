#include "server/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/fake_server.h"
#include "tests/server/tls_peer.h"
#include "tests/support/folder.h"

namespace tutti::testing {
namespace {

using ::testing::HasSubstr;

class HttpClientTest : public ::testing::Test {
 protected:
  HttpClientTest() {
    authority_.Write(folder_ / "ca.pem");
    authority_.Issue("IP:127.0.0.1", folder_ / "cert.pem", folder_ / "key.pem");
  }

  // Of https://127.0.0.1:PORT/; its body goes into received_.
  absl::StatusOr<int> Get(int port, const std::string& ca_certificates, bool allow_private = true) {
    ClientRequest request;
    request.url = *ParseUrl(fmt::format("https://127.0.0.1:{}/", port));
    request.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    request.allow_private = allow_private;
    request.max_bytes = 1000;
    request.tls = *MakeClientTls(ca_certificates);
    asio::io_context io;
    absl::StatusOr<int> answer = absl::UnknownError("none came");
    auto run = [&]() -> Awaitable<void> {
      std::function<absl::Status(std::string_view)> receive = [this](std::string_view piece) {
        received_ += piece;
        return absl::OkStatus();
      };
      answer = co_await SendRequest(std::move(request), std::move(receive));
    };
    asio::co_spawn(io, std::move(run), [](const std::exception_ptr&) {});
    io.run();
    return answer;
  }

  const Folder folder_;
  TestAuthority authority_;
  std::string received_;
};

TEST_F(HttpClientTest, AServerIsAskedForWhomAnAuthorityOfTheFileVouches) {
  TlsPeer peer(folder_ / "cert.pem", folder_ / "key.pem");
  const auto answer = Get(peer.port(), folder_ / "ca.pem");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, 200);
  EXPECT_EQ(received_, "hello");
}

TEST_F(HttpClientTest, AServerOfAnotherAuthorityIsToldNothing) {
  TestAuthority other;
  other.Write(folder_ / "other.pem");
  TlsPeer peer(folder_ / "cert.pem", folder_ / "key.pem");
  for (const std::string& authorities : {folder_ / "other.pem", std::string()}) {
    EXPECT_EQ(Get(peer.port(), authorities).status().code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_TRUE(peer.requests().empty());
}

TEST_F(HttpClientTest, ACertificateForAnotherHostIsRefused) {
  for (const char* name : {"DNS:localhost", "DNS:127.0.0.1", "IP:127.0.0.2"}) {
    authority_.Issue(name, folder_ / "cert.pem", folder_ / "key.pem");
    TlsPeer peer(folder_ / "cert.pem", folder_ / "key.pem");
    EXPECT_EQ(Get(peer.port(), folder_ / "ca.pem").status().code(), absl::StatusCode::kUnavailable) << name;
    EXPECT_TRUE(peer.requests().empty()) << name;
  }
}

TEST_F(HttpClientTest, APrivateAddressIsNotEvenConnectedTo) {
  TlsPeer peer(folder_ / "cert.pem", folder_ / "key.pem");
  const auto answer = Get(peer.port(), folder_ / "ca.pem", /*allow_private=*/false);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(peer.requests().empty());
}

TEST_F(HttpClientTest, AFileOfAuthoritiesThatCannotBeReadIsNamed) {
  EXPECT_THAT(Message(MakeClientTls(folder_ / "none.pem").status()), HasSubstr("security.ca_certificates: /"));
  ServeOptions options = QuietOptions();
  options.security.ca_certificates = folder_.Write("empty.pem", "no certificate");
  EXPECT_EQ(Server::Create(options, nullptr).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(HttpClientTest, AWebhookGoesThroughTls) {
  TlsPeer peer(folder_ / "cert.pem", folder_ / "key.pem");
  ServeOptions options = QuietOptions();
  options.files.spool = folder_ / "spool";
  options.files.jobs = folder_ / "jobs.db";
  options.security.webhook_secret = "0123456789abcdef";
  options.security.allow_url = {"127.0.0.1"};
  options.security.ca_certificates = folder_ / "ca.pem";
  FakeServer server(options);
  const std::string hook = fmt::format("https://127.0.0.1:{}/hook", peer.port());
  ASSERT_EQ(server.Ask(PostForm("/v1/jobs", {{"webhook", hook}}, Wav(1, 100))).status, 202);
  ASSERT_TRUE(Eventually([&] { return !peer.requests().empty(); }));
  const std::string request = peer.requests()[0];
  EXPECT_THAT(request, ::testing::StartsWith("POST /hook HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("X-Tutti-Signature: "));
  EXPECT_THAT(request, HasSubstr(R"("state":"done")"));
}

}  // namespace
}  // namespace tutti::testing
