#pragma once

#include <string>

#include "server/upload.h"
#include "service/url.h"

namespace tutti {

// Puts the recording that {"url": …} names into the spool, as if it had been uploaded. PermissionDenied unless
// security.allow_url lists its host; see ClientRequest for the rest.
Awaitable<absl::Status> FetchUrl(Service& service, const std::string& text, Upload& upload);

// PermissionDenied unless the URL's host is one of security.allow_url, FieldError when it is no URL.
absl::StatusOr<Url> CheckUrl(const Service& service, const std::string& field, const std::string& text);

}  // namespace tutti
