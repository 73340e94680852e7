#pragma once

#include <string>

#include "base/status.h"

namespace tutti {

// Says on standard error why the command cannot start, and gives the exit code: kExitUsage.
int UsageError(const absl::Status& status);
// The same for what cannot be had, such as a model that does not load: kExitFailed.
int CannotStart(const absl::Status& status);

}  // namespace tutti
