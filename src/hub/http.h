#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tutti {

struct HttpOptions {
  std::chrono::milliseconds connect_timeout{5000};  // name, connection and TLS
  std::chrono::seconds stall_timeout{15};           // without a byte
};

struct HttpGet {
  std::string url;
  std::vector<std::string> headers;  // "Accept: text/html"
  int64_t from = 0;                  // the first byte wanted; asks for a range when it is not 0
  int64_t max_bytes = 0;             // of the body; what is beyond is an error
};

// The head of an answer, after redirects.
struct HttpHead {
  int status = 0;             // 200 or 206
  std::string url;            // who answered
  std::string content_type;   // lower case
  std::string content_range;  // "bytes 100-199/200"
  std::string link;           // RFC 8288
  int64_t length = -1;        // of the body, where it is told
};

// Fetches files and small answers from hubs and package indexes. Redirects are followed, but not from https to http;
// certificates are verified; of the environment it takes http_proxy, https_proxy, all_proxy, no_proxy, and
// CURL_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR for the authorities. Connections are kept for the next request. Not
// thread-safe.
class HttpClient {
 public:
  static absl::StatusOr<std::unique_ptr<HttpClient>> Create(const HttpOptions& options);
  ~HttpClient();

  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `begin` gets the head, then `receive` the pieces of the body; an error of theirs ends the transfer and is
  // returned. `begin` may be empty.
  //
  // NotFound for 404, PermissionDenied for 401 and 403, OutOfRange for 416 and for a body beyond max_bytes, Unavailable
  // for other answers, for what cannot be reached and for a transfer that was cut, DeadlineExceeded for one that
  // stalled. Messages name the server and the path, without user, password and query.
  absl::Status Get(const HttpGet& get, const std::function<absl::Status(const HttpHead&)>& begin,
                   const std::function<absl::Status(std::string_view)>& receive);

  struct Text {
    HttpHead head;
    std::string body;
  };
  absl::StatusOr<Text> GetText(const HttpGet& get);

 private:
  explicit HttpClient(const HttpOptions& options);

  const std::unique_ptr<void, void (*)(void*)> curl_;
  const HttpOptions options_;
};

// `reference` as a browser on the page `base` takes it. User and password of the base go along to the same host.
// InvalidArgument for what is no URL of http or https.
absl::StatusOr<std::string> ResolveUrl(const std::string& base, const std::string& reference);

// The URL as it may be shown: without user, password, query and fragment.
std::string ShownUrl(const std::string& url);

// "a b" → "a%20b"; slashes stay.
std::string PercentEncodedPath(std::string_view path);

}  // namespace tutti
