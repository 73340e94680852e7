#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace tutti {

// The HTTP status that says what an error means to a client (RFC 9110, 15); 200 for OK.
int HttpStatusOf(const absl::Status& status);

// An error with the name of the field at fault, which OpenAI's errors tell apart from the message.
absl::Status FieldError(std::string_view field, std::string_view message);
// The same for an error whose message names the field already.
absl::Status AboutField(std::string_view field, absl::Status status);

// {"error": {"message", "type", "param", "code"}}, as OpenAI's API has it.
std::string ErrorJson(const absl::Status& status);

}  // namespace tutti
