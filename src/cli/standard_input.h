#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "cli/interrupt.h"

namespace tutti {

// Everything that standard input holds. Cancelled when interrupted, InvalidArgument beyond `max_bytes`.
absl::StatusOr<std::shared_ptr<const std::string>> ReadStandardInput(const Interrupt& interrupt,
                                                                     int64_t max_bytes = int64_t{4} << 30);

}  // namespace tutti
