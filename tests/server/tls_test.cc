#include <gtest/gtest.h>
#include <openssl/err.h>

#include "tests/server/certificates.h"
#include "tests/server/fake_server.h"
#include "tests/support/folder.h"

namespace tutti::testing {
namespace {

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() : server_(Options()) {}

  ServeOptions Options() {
    TestAuthority().Issue("IP:127.0.0.1", folder_ / "cert.pem", folder_ / "key.pem");
    ServeOptions options = QuietOptions();
    options.listen.tls_certificate = folder_ / "cert.pem";
    options.listen.tls_key = folder_ / "key.pem";
    options.limits.header_seconds = 2;
    return options;
  }

  // A handshake with at most this version, over `client`; null and OpenSSL's reason when it fails.
  std::unique_ptr<SSL, FreeTls> Connect(Client& client, int most, int& reason) {
    const std::unique_ptr<SSL_CTX, FreeTls> context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_security_level(context.get(), 0);  // or it would not even offer the old ones
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), most);
    std::unique_ptr<SSL, FreeTls> ssl(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), client.fd());
    ERR_clear_error();
    if (SSL_connect(ssl.get()) == 1) return ssl;
    reason = ERR_GET_REASON(ERR_peek_error());
    return nullptr;
  }

  static std::string Ask(SSL* ssl, const std::string& request) {
    std::string answer;
    if (SSL_write(ssl, request.data(), static_cast<int>(request.size())) <= 0) return answer;
    char bytes[4096];
    for (int count = 0; (count = SSL_read(ssl, bytes, sizeof(bytes))) > 0;) {
      answer.append(bytes, static_cast<size_t>(count));
    }
    return answer;
  }

  const Folder folder_;
  FakeServer server_;
};

TEST_F(TlsTest, RequestsAreServedThroughTls12AndLater) {
  const std::string wav = Wav(1, 3000);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Client client(server_.port());
    int reason = 0;
    const auto ssl = Connect(client, version, reason);
    ASSERT_NE(ssl, nullptr) << ERR_reason_error_string(static_cast<unsigned long>(reason));
    EXPECT_EQ(SSL_version(ssl.get()), version);
    const std::string answer =
        Ask(ssl.get(), PostForm("/v1/transcribe", {{"format", "txt"}}, wav, {{"Connection", "close"}}));
    EXPECT_NE(answer.find("Strict-Transport-Security: "), std::string::npos);
    EXPECT_TRUE(answer.ends_with("\r\n\r\n" + TextOf(wav) + "\n")) << answer;
  }
  EXPECT_EQ(server_.server().url().substr(0, 8), "https://");
}

TEST_F(TlsTest, WhoIsRefusedEarlyAndReadsOnlyWhenAllIsSentGetsTheAnswer) {
  const std::string request = MakeRequest("POST", "/nothing", {}, std::string(32 << 20, 'x'));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Client client(server_.port());
    int reason = 0;
    const auto ssl = Connect(client, version, reason);
    ASSERT_NE(ssl, nullptr);
    EXPECT_NE(Ask(ssl.get(), request).find(" 404 "), std::string::npos);
  }
}

TEST_F(TlsTest, OlderVersionsAreRefusedByTheServer) {
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    Client client(server_.port());
    int reason = 0;
    EXPECT_EQ(Connect(client, version, reason), nullptr);
    EXPECT_EQ(reason, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
  }
}

TEST_F(TlsTest, WhoSpeaksInTheClearIsNotServed) {
  Client client(server_.port());
  EXPECT_EQ(client.Ask(MakeRequest("GET", "/healthz")).status, 0);
}

TEST_F(TlsTest, AClientThatSaysNothingHoldsNobodyUp) {
  Client silent(server_.port());
  Client client(server_.port());
  int reason = 0;
  const auto ssl = Connect(client, TLS1_3_VERSION, reason);
  ASSERT_NE(ssl, nullptr);
  EXPECT_NE(Ask(ssl.get(), MakeRequest("GET", "/healthz", {{"Connection", "close"}})).find(" 200 OK"),
            std::string::npos);
}

TEST(TlsOptionsTest, AKeyThatIsNotThereIsNamed) {
  const Folder folder;
  TestAuthority().Issue("IP:127.0.0.1", folder / "cert.pem", folder / "key.pem");
  ServeOptions options = QuietOptions();
  options.listen.tls_certificate = folder / "cert.pem";
  options.listen.tls_key = folder / "none.pem";
  const auto server = Server::Create(options, nullptr);
  EXPECT_NE(server.status().message().find("listen.tls_key"), std::string::npos) << server.status();
}

}  // namespace
}  // namespace tutti::testing
