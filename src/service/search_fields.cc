#include "service/search_fields.h"

namespace tutti {

absl::Status ReadSearchOptions(const Fields& fields, SearchOptions& options) {
  for (const SearchText& text : kSearchTexts) options.*text.field = fields.Text(text.name, options.*text.field);
  for (const SearchNumber<float>& number : kSearchNumbers) {
    TUTTI_ASSIGN_OR_RETURN(const double value, fields.Number(number.name, static_cast<double>(options.*number.field),
                                                             number.least, number.most));
    options.*number.field = static_cast<float>(value);
  }
  for (const SearchNumber<int>& count : kSearchCounts) {
    TUTTI_ASSIGN_OR_RETURN(const int64_t value,
                           fields.Integer(count.name, options.*count.field, static_cast<int64_t>(count.least),
                                          static_cast<int64_t>(count.most)));
    options.*count.field = static_cast<int>(value);
  }
  TUTTI_ASSIGN_OR_RETURN(const std::string task, fields.Choice("task", {"transcribe", "translate"}));
  if (fields.Has("task")) options.task = task == "translate" ? Task::kTranslate : Task::kTranscribe;
  return absl::OkStatus();
}

}  // namespace tutti
