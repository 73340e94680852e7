#pragma once

#include <ctime>

namespace tutti {

// Seconds of CPU that the calling thread has used: what work costs, whoever else is on the machine.
inline double ThreadCpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Adds the CPU time of its scope to `total`.
class CpuTimer {
 public:
  explicit CpuTimer(double& total) : total_(total) {}
  ~CpuTimer() { total_ += ThreadCpuSeconds() - start_; }
  CpuTimer(const CpuTimer&) = delete;
  CpuTimer& operator=(const CpuTimer&) = delete;

 private:
  double& total_;
  const double start_ = ThreadCpuSeconds();
};

}  // namespace tutti
