#pragma once

#include <cstdint>
#include <string>

namespace tutti {

int64_t PeakMemoryBytes();  // of this process (VmHWM); 0 when the system does not tell
std::string CpuModel();     // "AMD EPYC 9B14"
int AvailableCores();       // that this process may run on

}  // namespace tutti
