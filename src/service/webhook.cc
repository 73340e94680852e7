#include "service/webhook.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstdlib>

namespace tutti {
namespace {

std::string HmacSha256Hex(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
           text.size(), digest.data(), &size) == nullptr) {
    std::abort();  // out of memory; an unsigned webhook must not leave
  }
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> WebhookHeaders(std::string_view secret, int64_t unix_seconds,
                                                                std::string_view body) {
  return {{"Content-Type", "application/json"},
          {"X-Tutti-Timestamp", fmt::format("{}", unix_seconds)},
          {"X-Tutti-Signature", "sha256=" + HmacSha256Hex(secret, fmt::format("{}.{}", unix_seconds, body))}};
}

}  // namespace tutti
