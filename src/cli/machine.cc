#include "cli/machine.h"

#include <sched.h>

#include <cstdlib>
#include <fstream>
#include <string_view>

namespace tutti {
namespace {

// What follows the colon in the first line of `file` that begins with `key`.
std::string Field(const char* file, std::string_view key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const size_t value = line.find_first_not_of(" \t", line.find(':') + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "";
}

}  // namespace

int64_t PeakMemoryBytes() { return std::strtoll(Field("/proc/self/status", "VmHWM").c_str(), nullptr, 10) * 1024; }

std::string CpuModel() {
  const std::string name = Field("/proc/cpuinfo", "model name");
  return name.empty() ? "unknown" : name;
}

int AvailableCores() {
  cpu_set_t cores;
  return sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

}  // namespace tutti
