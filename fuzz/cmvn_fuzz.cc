// am.mvn, and the plain texts beside it: tokens.txt, tokens.json, seg_dict.
#include <cstdint>
#include <cstdlib>

#include "checkpoint/model_package.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto cmvn = tutti::ParseCmvn(text, "fuzz");
  if (cmvn.ok() && cmvn->shift.size() != cmvn->scale.size()) std::abort();
  tutti::ParseTokensJson(text, "fuzz").IgnoreError();
  tutti::ParseTokensText(text);
  tutti::ParseSegDict(text);
  return 0;
}
