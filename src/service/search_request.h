#pragma once

#include "base/status.h"
#include "service/fields.h"
#include "tutti/recognizer.h"
#include "tutti/search_options.h"

namespace tutti {

// The fields of SearchOptions that a request has (engine/search_table.h); what is not given stays. FieldErrors about
// values out of range and about what the model cannot do: another language, a translation, any search at all.
absl::Status ReadSearchOptions(const Fields& fields, const Recognizer& model, SearchOptions& options);

// The same about a language and a task that come from elsewhere.
absl::Status CheckSearchOptions(const SearchOptions& options, const Recognizer& model);

}  // namespace tutti
