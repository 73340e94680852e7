// YAML: any text gives a tree or an error, and every getter a value or an error.
#include <cstdint>

#include "checkpoint/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto config = tutti::Config::ParseYaml({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!config.ok()) return 0;
  for (const char* path : {"model", "model_conf", "model_conf.sil_pdf_ids", "encoder_conf.output_size", "a", "a.b"}) {
    config->GetString(path, "").IgnoreError();
    config->GetInt(path, 0).IgnoreError();
    config->GetDouble(path, 0).IgnoreError();
    config->GetBool(path, false).IgnoreError();
    config->GetInts(path, {}).IgnoreError();
    config->GetStrings(path, {}).IgnoreError();
    config->With(path, "x").IgnoreError();
    config->Overlay(path).IgnoreError();
  }
  return 0;
}
