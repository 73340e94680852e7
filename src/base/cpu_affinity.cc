#include "base/cpu_affinity.h"

#include <pthread.h>
#include <sched.h>

#include <cerrno>
#include <system_error>

namespace tutti {
namespace {

// Machines with more CPUs than a cpu_set_t holds need a set of their size.
constexpr int kMostCpus = 1 << 16;

class CpuSet {
 public:
  CpuSet() : set_(CPU_ALLOC(kMostCpus)) {
    if (set_ == nullptr) throw std::bad_alloc();
    CPU_ZERO_S(bytes(), set_);
  }
  ~CpuSet() { CPU_FREE(set_); }
  CpuSet(const CpuSet&) = delete;
  CpuSet& operator=(const CpuSet&) = delete;

  static size_t bytes() { return CPU_ALLOC_SIZE(kMostCpus); }
  cpu_set_t* get() const { return set_; }

 private:
  cpu_set_t* const set_;
};

std::string ReasonOf(int error) { return std::system_category().message(error); }

}  // namespace

absl::StatusOr<std::vector<int>> AllowedCpus() {
  const CpuSet allowed;
  if (sched_getaffinity(0, CpuSet::bytes(), allowed.get()) != 0) {
    return absl::InternalError(fmt::format("which CPUs may be used: {}", ReasonOf(errno)));
  }
  std::vector<int> cpus;
  for (int cpu = 0; cpu < kMostCpus; ++cpu) {
    if (CPU_ISSET_S(cpu, CpuSet::bytes(), allowed.get())) cpus.push_back(cpu);
  }
  return cpus;
}

absl::Status PinThread(std::thread& thread, int cpu) {
  if (cpu < 0 || cpu >= kMostCpus) return InvalidArgument("pinning to CPU {}, expected 0 … {}", cpu, kMostCpus - 1);
  const CpuSet one;
  CPU_SET_S(cpu, CpuSet::bytes(), one.get());
  const int error = pthread_setaffinity_np(thread.native_handle(), CpuSet::bytes(), one.get());
  if (error == 0) return absl::OkStatus();
  return FailedPrecondition("pinning a thread to CPU {}: {}", cpu, ReasonOf(error));
}

}  // namespace tutti
