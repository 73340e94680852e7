#include "service/search_request.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/language_names.h"
#include "engine/search_table.h"
#include "service/api_error.h"

namespace tutti {

ModelAbilities AbilitiesOf(const Recognizer& model) {
  return {.takes_search_options = model.takes_search_options(),
          .languages = model.languages(),
          .translates = model.translates(),
          .vad_options = model.default_vad_options()};
}

absl::Status CheckSearchOptions(const SearchOptions& options, const ModelAbilities& model) {
  if (!model.takes_search_options && options != SearchOptions{}) {
    return InvalidArgument(
        "this model does not find its text token by token and takes neither language nor task, nor any other option of "
        "the search");
  }
  if (options.task == Task::kTranslate && !model.translates) {
    return FieldError("task", "translate, but this model only transcribes");
  }
  const std::string language = LanguageCode(options.language);
  if (language.empty() || language == "auto") return absl::OkStatus();
  if (std::ranges::find(model.languages, language) != model.languages.end()) return absl::OkStatus();
  if (model.languages.empty()) return FieldError("language", "this model is told no language");
  return FieldError("language",
                    fmt::format("'{}', expected one of {}", options.language, fmt::join(model.languages, ", ")));
}

absl::Status ReadSearchOptions(const Fields& fields, const ModelAbilities& model, SearchOptions& options) {
  for (const std::string& name : SearchOptionNames()) {
    const std::vector<std::string> values = fields.All(name);
    if (values.empty()) continue;
    const bool is_list = std::ranges::any_of(kSearchLists, [&](const SearchList& list) { return name == list.name; });
    const std::string value = is_list ? fmt::format("{}", fmt::join(values, ",")) : fields.Text(name);
    if (const absl::Status set = SetSearchOption(name, value, options); !set.ok()) return AboutField(name, set);
    SearchOptions alone;
    TUTTI_RETURN_IF_ERROR(SetSearchOption(name, value, alone));
    if (!model.takes_search_options && alone != SearchOptions{}) {
      return FieldError(name, "this model does not find its text token by token and takes no such option");
    }
  }
  return CheckSearchOptions(options, model);
}

}  // namespace tutti
