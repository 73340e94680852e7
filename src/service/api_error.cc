#include "service/api_error.h"

#include <nlohmann/json.hpp>

#include "absl/strings/cord.h"
#include "service/json_text.h"

namespace tutti {
namespace {

constexpr char kFieldUrl[] = "tutti/field";

std::string_view TypeOf(int http_status) {
  switch (http_status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 409:
      return "conflict_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "unavailable_error";
    case 504:
      return "timeout_error";
    default:
      return http_status >= 500 ? "server_error" : "invalid_request_error";
  }
}

std::string_view CodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return "invalid_argument";
    case absl::StatusCode::kNotFound:
      return "not_found";
    case absl::StatusCode::kUnauthenticated:
      return "invalid_api_key";
    case absl::StatusCode::kPermissionDenied:
      return "permission_denied";
    case absl::StatusCode::kResourceExhausted:
      return "too_many_requests";
    case absl::StatusCode::kUnavailable:
      return "unavailable";
    case absl::StatusCode::kDeadlineExceeded:
      return "deadline_exceeded";
    case absl::StatusCode::kCancelled:
      return "cancelled";
    case absl::StatusCode::kOutOfRange:
      return "too_large";
    case absl::StatusCode::kDataLoss:
      return "damaged_audio";
    case absl::StatusCode::kFailedPrecondition:
      return "conflict";
    case absl::StatusCode::kUnimplemented:
      return "unsupported";
    default:
      return "internal";
  }
}

}  // namespace

int HttpStatusOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnimplemented:  // a field asks for what no model here can do
    case absl::StatusCode::kDataLoss:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kFailedPrecondition:
      return 409;
    case absl::StatusCode::kOutOfRange:
      return 413;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

absl::Status FieldError(std::string_view field, std::string_view message) {
  return AboutField(field, InvalidArgument("{}: {}", field, message));
}

absl::Status AboutField(std::string_view field, absl::Status status) {
  status.SetPayload(kFieldUrl, absl::Cord(absl::string_view(field.data(), field.size())));
  return status;
}

std::string ErrorJson(const absl::Status& status) {
  using Json = nlohmann::ordered_json;
  const auto field = status.GetPayload(kFieldUrl);
  const Json error = {{"message", Message(status)},
                      {"type", TypeOf(HttpStatusOf(status))},
                      {"param", field ? Json(std::string(*field)) : Json(nullptr)},
                      {"code", CodeOf(status)}};
  return JsonText({{"error", error}});
}

}  // namespace tutti
