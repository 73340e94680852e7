#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tutti {

// The headers that let a receiver check that a webhook is ours and fresh:
//   X-Tutti-Timestamp: seconds of Unix time, when it was sent
//   X-Tutti-Signature: sha256=HEX, HMAC-SHA256 of "TIMESTAMP.BODY" with the shared secret
// and Content-Type: application/json.
std::vector<std::pair<std::string, std::string>> WebhookHeaders(std::string_view secret, int64_t unix_seconds,
                                                                std::string_view body);

}  // namespace tutti
