#pragma once

#include "base/status.h"
#include "service/fields.h"
#include "tutti/search_options.h"

namespace tutti {

// The fields of SearchOptions under their own names; what is not given stays. Errors are FieldErrors. Whether a model
// takes any of them it says when it gets the request.
absl::Status ReadSearchOptions(const Fields& fields, SearchOptions& options);

}  // namespace tutti
