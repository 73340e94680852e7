#include "service/api_error.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tutti {
namespace {

using Json = nlohmann::json;

Json ErrorOf(const absl::Status& status) { return Json::parse(ErrorJson(status))["error"]; }

TEST(ApiErrorTest, EachCodeHasItsHttpStatusAndType) {
  const struct {
    absl::Status status;
    int http;
    const char* type;
  } cases[] = {
      {absl::InvalidArgumentError("m"), 400, "invalid_request_error"},
      {absl::DataLossError("m"), 400, "invalid_request_error"},
      {absl::UnimplementedError("m"), 400, "invalid_request_error"},
      {absl::UnauthenticatedError("m"), 401, "authentication_error"},
      {absl::PermissionDeniedError("m"), 403, "permission_error"},
      {absl::NotFoundError("m"), 404, "not_found_error"},
      {absl::FailedPreconditionError("m"), 409, "conflict_error"},
      {absl::OutOfRangeError("m"), 413, "invalid_request_error"},
      {absl::ResourceExhaustedError("m"), 429, "rate_limit_error"},
      {absl::InternalError("m"), 500, "server_error"},
      {absl::UnknownError("m"), 500, "server_error"},
      {absl::UnavailableError("m"), 503, "unavailable_error"},
      {absl::DeadlineExceededError("m"), 504, "timeout_error"},
  };
  for (const auto& [status, http, type] : cases) {
    EXPECT_EQ(HttpStatusOf(status), http) << status;
    EXPECT_EQ(ErrorOf(status)["type"], type) << status;
    EXPECT_EQ(ErrorOf(status)["message"], "m") << status;
    EXPECT_TRUE(ErrorOf(status)["param"].is_null()) << status;
    EXPECT_TRUE(ErrorOf(status)["code"].is_string()) << status;
  }
  EXPECT_EQ(HttpStatusOf(absl::OkStatus()), 200);
}

TEST(ApiErrorTest, AFieldErrorNamesTheField) {
  const absl::Status status = FieldError("channels", "expected mix or split");
  EXPECT_EQ(HttpStatusOf(status), 400);
  EXPECT_EQ(ErrorOf(status)["param"], "channels");
  EXPECT_EQ(ErrorOf(status)["message"], "channels: expected mix or split");
}

TEST(ApiErrorTest, WhatAStrangerSentMakesNoBrokenJson) {
  const absl::Status status = FieldError("a\"\xff\n", "\xc3 \"quoted\" \x01");
  EXPECT_FALSE(Json::parse(ErrorJson(status), nullptr, false).is_discarded());
}

}  // namespace
}  // namespace tutti
