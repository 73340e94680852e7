#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace tutti {

// What a model directory holds.
struct ModelInfo {
  std::string directory;
  std::string type;     // config's `model`
  std::string weights;  // file
  int64_t weights_bytes = 0;
  int64_t tensors = 0;
  int64_t parameters = 0;
  std::string dtypes;  // "f32", "f32, i64"
  int64_t tokens = 0;
  std::vector<std::pair<std::string, std::string>> config;  // the keys that tell its size
  absl::Status runs;                                        // OK: this version can run it; else why not
};

// Opens the directory and tries to load the model in it. An error when it cannot even be opened.
absl::StatusOr<ModelInfo> Inspect(const std::string& directory);

// `is_default`: commands take it where no model is named.
std::string RenderInfo(const ModelInfo& info, bool is_default, bool json);

}  // namespace tutti
