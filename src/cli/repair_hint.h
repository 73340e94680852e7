#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace tutti {

// The error of loading models from `directories` or files. Where a pull made one of them and a file of it is not what
// came then, that is said, too, and how to get it anew.
absl::Status WithRepairHint(const absl::Status& error, const std::vector<std::string>& directories);

}  // namespace tutti
