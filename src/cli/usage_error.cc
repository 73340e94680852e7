#include "cli/usage_error.h"

#include <cstdio>

#include "base/print.h"
#include "cli/exit_codes.h"

namespace tutti {

int UsageError(const absl::Status& status) {
  PrintText(stderr, "tutti: {}\n", Message(status));
  return kExitUsage;
}

int CannotStart(const absl::Status& status) {
  PrintText(stderr, "tutti: {}\n", Message(status));
  return kExitFailed;
}

}  // namespace tutti
