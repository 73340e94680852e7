#include "hub/http.h"

#include <curl/curl.h>

#include <array>
#include <cctype>
#include <cstdlib>

#include "base/text.h"

namespace tutti {
namespace {

constexpr long kMaxRedirects = 10;

// What the callbacks of one transfer share.
struct Transfer {
  CURL* curl;
  const HttpGet& get;
  const std::function<absl::Status(const HttpHead&)>& begin;
  const std::function<absl::Status(std::string_view)>& receive;
  HttpHead head;
  bool begun = false;
  int64_t bytes = 0;
  absl::Status status;  // of the callbacks
};

std::string HeaderOf(CURL* curl, const char* name) {
  curl_header* header = nullptr;
  return curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value : "";
}

std::string TextInfo(CURL* curl, CURLINFO info) {
  const char* text = nullptr;
  return curl_easy_getinfo(curl, info, &text) == CURLE_OK && text != nullptr ? text : "";
}

absl::Status StatusOfAnswer(long status, const std::string& url) {
  const std::string message = fmt::format("{} answered {}", ShownUrl(url), status);
  if (status == 404 || status == 410) return absl::NotFoundError(message);
  if (status == 401 || status == 403) return absl::PermissionDeniedError(message);
  if (status == 416) return absl::OutOfRangeError(message);
  return absl::UnavailableError(message);
}

absl::Status Begin(Transfer& transfer) {
  long status = 0;
  curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
  HttpHead& head = transfer.head;
  head.status = static_cast<int>(status);
  head.url = TextInfo(transfer.curl, CURLINFO_EFFECTIVE_URL);
  if (status != 200 && (status != 206 || transfer.get.from == 0)) return StatusOfAnswer(status, head.url);
  head.content_type = InLowerCase(TextInfo(transfer.curl, CURLINFO_CONTENT_TYPE));
  head.content_range = HeaderOf(transfer.curl, "Content-Range");
  head.link = HeaderOf(transfer.curl, "Link");
  curl_off_t length = -1;
  curl_easy_getinfo(transfer.curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  head.length = length;
  return transfer.begin ? transfer.begin(head) : absl::OkStatus();
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  const std::string_view piece(data, size * count);
  if (!transfer.begun) {
    transfer.begun = true;
    transfer.status = Begin(transfer);
  }
  transfer.bytes += static_cast<int64_t>(piece.size());
  if (transfer.status.ok() && transfer.bytes > transfer.get.max_bytes) {
    transfer.status = absl::OutOfRangeError(fmt::format("{}: the answer has more than {} bytes, the most expected",
                                                        ShownUrl(transfer.get.url), transfer.get.max_bytes));
  }
  if (transfer.status.ok()) transfer.status = transfer.receive(piece);
  return transfer.status.ok() ? piece.size() : 0;
}

absl::Status Failure(CURL* curl, CURLcode code, const std::string& url, const char* detail,
                     std::chrono::seconds stall_timeout) {
  std::string reason = detail[0] != '\0' ? detail : curl_easy_strerror(code);
  curl_off_t connected_us = 0;
  curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
  if (code == CURLE_OPERATION_TIMEDOUT && connected_us > 0) {
    reason = fmt::format("takes connections, but sent nothing for {} s", stall_timeout.count());
  }
  const std::string message = fmt::format("{}: {}", ShownUrl(url), reason);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return absl::DeadlineExceededError(message);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return absl::InvalidArgumentError(message);
    default:
      return absl::UnavailableError(message);
  }
}

class CurlUrl {
 public:
  CurlUrl() : url_(curl_url(), curl_url_cleanup) {}

  bool Set(CURLUPart part, const std::string& text) {
    return curl_url_set(url_.get(), part, text.c_str(), CURLU_URLENCODE) == CURLUE_OK;
  }
  void Drop(CURLUPart part) { curl_url_set(url_.get(), part, nullptr, 0); }
  std::string Get(CURLUPart part) const {
    char* text = nullptr;
    if (curl_url_get(url_.get(), part, &text, 0) != CURLUE_OK) return "";
    std::string copy = text;
    curl_free(text);
    return copy;
  }

 private:
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpClient>> HttpClient::Create(const HttpOptions& options) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  std::unique_ptr<HttpClient> client(new HttpClient(options));
  if (global != CURLE_OK || client->curl_ == nullptr) return absl::InternalError("libcurl cannot begin");
  return client;
}

HttpClient::HttpClient(const HttpOptions& options) : curl_(curl_easy_init(), curl_easy_cleanup), options_(options) {}

HttpClient::~HttpClient() = default;

absl::Status HttpClient::Get(const HttpGet& get, const std::function<absl::Status(const HttpHead&)>& begin,
                             const std::function<absl::Status(std::string_view)>& receive) {
  CURL* const curl = curl_.get();
  curl_easy_reset(curl);
  Transfer transfer{.curl = curl, .get = get, .begin = begin, .receive = receive, .head = {}, .status = {}};
  std::array<char, CURL_ERROR_SIZE> detail = {};
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(nullptr, curl_slist_free_all);
  for (const std::string& header : get.headers) {
    curl_slist* const longer = curl_slist_append(headers.get(), header.c_str());
    if (headers == nullptr) headers.reset(longer);
  }
  const std::string range = fmt::format("{}-", get.from);

  curl_easy_setopt(curl, CURLOPT_URL, get.url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  if (get.from > 0) curl_easy_setopt(curl, CURLOPT_RANGE, range.c_str());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "tutti");
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, get.url.starts_with("https:") ? "https" : "http,https");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);  // bytes a second
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.stall_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);  // else it waits for a name server as long as the system does
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail.data());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  // The library itself knows only where its distribution keeps them; these are the names that OpenSSL and curl use.
  for (const auto& [variable, option] : {std::pair("SSL_CERT_DIR", CURLOPT_CAPATH),
                                         {"SSL_CERT_FILE", CURLOPT_CAINFO},
                                         {"CURL_CA_BUNDLE", CURLOPT_CAINFO}}) {
    const char* const value = std::getenv(variable);
    if (value != nullptr && *value != '\0') curl_easy_setopt(curl, option, value);
  }

  const CURLcode code = curl_easy_perform(curl);
  if (!transfer.status.ok()) return transfer.status;
  if (code != CURLE_OK) return Failure(curl, code, get.url, detail.data(), options_.stall_timeout);
  return transfer.begun ? absl::OkStatus() : Begin(transfer);  // no body, no piece
}

absl::StatusOr<HttpClient::Text> HttpClient::GetText(const HttpGet& get) {
  Text text;
  TUTTI_RETURN_IF_ERROR(Get(
      get,
      [&](const HttpHead& head) {
        text.head = head;
        return absl::OkStatus();
      },
      [&](std::string_view piece) {
        text.body += piece;
        return absl::OkStatus();
      }));
  return text;
}

absl::StatusOr<std::string> ResolveUrl(const std::string& base, const std::string& reference) {
  CurlUrl page, url;
  const bool good = page.Set(CURLUPART_URL, base) && url.Set(CURLUPART_URL, base) && url.Set(CURLUPART_URL, reference);
  const std::string scheme = url.Get(CURLUPART_SCHEME);
  if (!good || (scheme != "http" && scheme != "https")) {
    return InvalidArgument("'{}' on {}: expected a URL of http or https", ShownUrl(reference), ShownUrl(base));
  }
  const std::string user = page.Get(CURLUPART_USER);
  if (!user.empty() && url.Get(CURLUPART_USER).empty() && url.Get(CURLUPART_HOST) == page.Get(CURLUPART_HOST) &&
      scheme == page.Get(CURLUPART_SCHEME)) {
    url.Set(CURLUPART_USER, user);
    url.Set(CURLUPART_PASSWORD, page.Get(CURLUPART_PASSWORD));
  }
  return url.Get(CURLUPART_URL);
}

std::string ShownUrl(const std::string& url) {
  CurlUrl parts;
  if (!parts.Set(CURLUPART_URL, url)) return "a malformed URL";
  for (const CURLUPart part : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT}) {
    parts.Drop(part);
  }
  return parts.Get(CURLUPART_URL);
}

std::string PercentEncodedPath(std::string_view path) {
  constexpr std::string_view kPlain = "-._~/";
  std::string encoded;
  for (const char c : path) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || kPlain.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace tutti
