#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "service/fields.h"
#include "tutti/recognizer.h"
#include "tutti/search_options.h"

namespace tutti {

// What a request may ask of a model.
struct ModelAbilities {
  bool takes_search_options = false;
  std::vector<std::string> languages = {};
  bool translates = false;
  VadOptions vad_options = {};  // the defaults
};
ModelAbilities AbilitiesOf(const Recognizer& model);

// The fields of SearchOptions that a request has (engine/search_table.h); what is not given stays. FieldErrors about
// values out of range and about what the model cannot do: another language, a translation, any search at all.
absl::Status ReadSearchOptions(const Fields& fields, const ModelAbilities& model, SearchOptions& options);

// The same about options that come from elsewhere, as far as the model's abilities tell.
absl::Status CheckSearchOptions(const SearchOptions& options, const ModelAbilities& model);

}  // namespace tutti
