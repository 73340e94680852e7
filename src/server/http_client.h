#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "server/asio.h"
#include "service/url.h"

namespace boost::asio::ssl {
class context;
}

namespace tutti {

// A request to somebody else's server.
struct ClientRequest {
  std::string method = "GET";
  Url url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::chrono::steady_clock::time_point deadline;  // for all of it
  bool allow_private = false;                      // addresses near us; see IsPrivateAddress
  std::shared_ptr<asio::ssl::context> tls;         // of MakeClientTls; for https
  int64_t max_bytes = 0;                           // of the answer; what is beyond is an error
};

// TLS 1.2 and later, for servers whose certificate one of these authorities vouches for: a PEM file, or when it is
// empty the system's. InvalidArgument names the file. To be shared by all requests.
absl::StatusOr<std::shared_ptr<asio::ssl::context>> MakeClientTls(const std::string& ca_certificates);

// Sends it and gives the pieces of the answer's body to `receive`, whose error ends it; returns the HTTP status.
// Follows no redirect. Certificates are verified, also to be the host's. The address that was checked is the one that
// is connected to.
//
// Unavailable when there is no such host or no connection, PermissionDenied for a private address, DeadlineExceeded,
// OutOfRange for an answer that is too large.
Awaitable<absl::StatusOr<int>> SendRequest(ClientRequest request,
                                           std::function<absl::Status(std::string_view)> receive);

}  // namespace tutti
