#pragma once

#include <thread>
#include <vector>

#include "base/status.h"

namespace tutti {

// CPUs that the calling thread may run on, ascending. Internal when the system does not say.
absl::StatusOr<std::vector<int>> AllowedCpus();

// Keeps a running thread on one CPU from now on. The error names the CPU and the reason.
absl::Status PinThread(std::thread& thread, int cpu);

}  // namespace tutti
