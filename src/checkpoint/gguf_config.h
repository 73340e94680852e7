#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "checkpoint/config.h"
#include "checkpoint/gguf.h"

namespace tutti {

class GgufWriter;

// A configuration as GGUF keys: a key for each value, `prefix` and the value's dotted path. What Config's getters give
// is the same afterwards, except that the text of a number or truth value is its usual spelling (GetString of 1e1 is
// 10).
//
// Left out are nulls, keys that contain a dot, lists of lists or maps (training alone has them), and the names of the
// model directory's files.
void PutConfig(const Config& config, std::string_view prefix, GgufWriter& writer);

// InvalidArgument where one key is both a value and a map.
absl::StatusOr<Config> ConfigFromKeys(const GgufMetadata& metadata, std::string_view prefix, std::string source_name);

}  // namespace tutti
