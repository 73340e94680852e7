// Fields of a request: any query or JSON gives fields or an error, and every getter a value or an error, which is JSON.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "service/api_error.h"
#include "service/fields.h"
#include "service/log.h"
#include "service/openai.h"
#include "service/percent.h"
#include "service/transcribe_fields.h"

namespace {

void Check(const absl::Status& status) {
  if (!nlohmann::json::parse(tutti::ErrorJson(status), nullptr, false).contains("error")) std::abort();
}

const tutti::ModelAbilities kModel = {.takes_search_options = true, .languages = {"en", "zh"}, .translates = true};

void Ask(const tutti::Fields& fields) {
  for (const char* name : {"a", "b", "stream", ""}) {
    Check(fields.Bool(name, false).status());
    Check(fields.Integer(name, 0, -1000, 1000).status());
    const auto number = fields.Number(name, 0, -1000, 1000);
    Check(number.status());
    if (number.ok() && !(*number >= -1000 && *number <= 1000)) std::abort();
    Check(fields.Choice(name, {"mix", "split"}).status());
    if (fields.Has(name) == fields.All(name).empty()) std::abort();
  }
  Check(tutti::ReadOpenAiFields(fields, tutti::Task::kTranscribe).status());
  Check(tutti::ReadTranscribeOptions(fields, kModel, {}).status());
  Check(fields.RefuseUnknown());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  tutti::Fields query, json;
  Check(query.AddQuery(text));
  Ask(query);
  Check(json.AddJson(text));
  Ask(json);
  const auto decoded = tutti::PercentDecode(text, true);
  if (decoded && decoded->size() > size) std::abort();
  tutti::ParseTraceParent(text);
  return 0;
}
