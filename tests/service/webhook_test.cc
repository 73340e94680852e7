#include "service/webhook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// The signature is that of
//   printf '1700000000.{"id":"abc"}' | openssl dgst -sha256 -hmac 'a secret of the receiver'
TEST(WebhookTest, SignsTimestampAndBodyWithHmacSha256) {
  EXPECT_THAT(WebhookHeaders("a secret of the receiver", 1'700'000'000, R"({"id":"abc"})"),
              ElementsAre(Pair("Content-Type", "application/json"), Pair("X-Tutti-Timestamp", "1700000000"),
                          Pair("X-Tutti-Signature",
                               "sha256=2f3d63bcdf26900cb091894c7184621de602a6a9f6318b5febd7818c88aa6c32")));
}

TEST(WebhookTest, AnotherTimeBodyOrSecretGivesAnotherSignature) {
  const auto signature = [](std::string_view secret, int64_t time, std::string_view body) {
    return WebhookHeaders(secret, time, body).back().second;
  };
  const std::string one = signature("secret", 1, "2");
  EXPECT_NE(signature("secret", 2, "2"), one);
  EXPECT_NE(signature("secret", 1, "3"), one);
  EXPECT_NE(signature("Secret", 1, "2"), one);
}

}  // namespace
}  // namespace tutti
