#include "server/fetch.h"

#include <algorithm>
#include <utility>

#include "server/http_client.h"
#include "service/api_error.h"

namespace tutti {
namespace {

constexpr std::chrono::seconds kFetchTime{120};

std::string NameIn(const std::string& target) {
  const std::string path = target.substr(0, target.find('?'));
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

absl::StatusOr<Url> CheckUrl(const Service& service, const std::string& field, const std::string& text) {
  auto url = ParseUrl(text);
  if (!url.ok()) return FieldError(field, Message(url.status()));
  const auto& allowed = service.options.security.allow_url;
  if (std::ranges::find(allowed, url->host) == allowed.end()) {
    return absl::PermissionDeniedError(
        fmt::format("{}: the host {} is not one that this service may call (--allow-url)", field, url->host));
  }
  return url;
}

Awaitable<absl::Status> FetchUrl(Service& service, const std::string& text, Upload& upload) {
  auto url = CheckUrl(service, "url", text);
  if (!url.ok()) co_return url.status();
  auto file = service.spool->NewFile();
  if (!file.ok()) co_return file.status();
  ClientRequest request;
  request.url = *url;
  request.deadline = std::chrono::steady_clock::now() + kFetchTime;
  request.max_bytes = service.http.max_body_bytes;
  request.tls = service.client_tls;
  std::function<absl::Status(std::string_view)> receive = [&file](std::string_view piece) {
    return (*file)->Append(piece);
  };
  const auto status = co_await SendRequest(std::move(request), std::move(receive));
  if (!status.ok()) co_return status.status();
  if (*status != 200) {
    co_return FieldError("url", fmt::format("{} answered {} (redirects are not followed)", url->authority(), *status));
  }
  (*file)->Close();
  upload.file = *std::move(file);
  upload.name = NameIn(url->target);
  if (upload.name.empty()) upload.name = "audio";
  co_return absl::OkStatus();
}

}  // namespace tutti
