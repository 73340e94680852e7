#include "pool/sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/unique_fd.h"

namespace tutti {
namespace {

struct FreeFilter {
  void operator()(void* filter) const { seccomp_release(filter); }
};

// What a process that was given its files and its socket has no business with. By name, so that libseccomp passes over
// those that an architecture does not have.
constexpr std::array kForbidden = {
    "open",
    "openat",
    "openat2",
    "creat",
    "open_by_handle_at",
    "memfd_secret",
    "socket",
    "socketpair",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "execve",
    "execveat",
    "fork",
    "vfork",
    "ptrace",
    "kill",
    "tkill",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "mknod",
    "mknodat",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "fchownat",
    "lchown",
    "truncate",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "utimensat",
    "mount",
    "umount2",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsmount",
    "chroot",
    "pivot_root",
    "setns",
    "unshare",
    "bpf",
    "perf_event_open",
    "io_uring_setup",
    "userfaultfd",
    "keyctl",
    "add_key",
    "request_key",
    "init_module",
    "finit_module",
    "kexec_load",
    "reboot",
    "swapon",
    "swapoff",
    "quotactl",
    "acct",
    "setuid",
    "setgid",
    "setresuid",
    "setresgid",
    "capset",
    "personality",
    "shmget",
    "msgget",
    "semget",
    "mq_open",
    "fanotify_init",
    "inotify_init1",
};

// Memory of its own that a process has: what RLIMIT_DATA counts.
int64_t DataBytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  long long pages = 0;
  const int found = std::fscanf(file, "%*d %*d %*d %*d %*d %lld", &pages);
  std::fclose(file);
  return found == 1 ? pages * sysconf(_SC_PAGESIZE) : 0;
}

}  // namespace

void DieWithParent(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
}

void IgnoreEndingSignals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) std::signal(number, SIG_IGN);
}

void CloseOtherFds(int kept) {
  close_range(3, static_cast<unsigned>(std::max(kept, 3)) - 1, 0);
  close_range(static_cast<unsigned>(kept) + 1, ~0U, 0);
}

void LeaveStandardStreams() {
  const UniqueFd nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  dup2(nothing.get(), STDIN_FILENO);
  dup2(nothing.get(), STDOUT_FILENO);
}

absl::Status LimitResources(int64_t memory_bytes) {
  const rlimit no_core = {.rlim_cur = 0, .rlim_max = 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0) return InvalidArgument("RLIMIT_CORE: {}", std::strerror(errno));
  if (memory_bytes <= 0) return absl::OkStatus();
  // RLIMIT_AS would count what threads' heaps merely reserve.
  const auto limit = static_cast<rlim_t>(DataBytes() + memory_bytes);
  const rlimit data = {.rlim_cur = limit, .rlim_max = limit};
  if (setrlimit(RLIMIT_DATA, &data) != 0) return InvalidArgument("RLIMIT_DATA {}: {}", limit, std::strerror(errno));
  return absl::OkStatus();
}

absl::Status ForbidSystemCalls() {
  const std::unique_ptr<void, FreeFilter> filter(seccomp_init(SCMP_ACT_ALLOW));
  if (filter == nullptr) return Unimplemented("seccomp: no memory for a filter");
  const auto add = [&filter](const char* name, uint32_t action, auto... conditions) {
    const int call = seccomp_syscall_resolve_name(name);
    if (call == __NR_SCMP_ERROR) return 0;  // libseccomp does not know it, or the architecture has none
    const int added = seccomp_rule_add(filter.get(), action, call, sizeof...(conditions), conditions...);
    return added == -EDOM ? 0 : added;
  };
  int error = 0;
  for (const char* name : kForbidden) error = std::min(error, add(name, SCMP_ACT_ERRNO(EACCES)));
  // Threads only. What clone3 is asked for lies in memory, where a filter cannot look; libc then asks clone.
  const scmp_arg_cmp no_thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
  error = std::min(error, add("clone", SCMP_ACT_ERRNO(EACCES), no_thread));
  error = std::min(error, add("clone3", SCMP_ACT_ERRNO(ENOSYS)));
  // abort() needs to signal the process itself.
  const scmp_arg_cmp others = SCMP_A0(SCMP_CMP_NE, static_cast<scmp_datum_t>(getpid()), 0);
  error = std::min(error, add("tgkill", SCMP_ACT_ERRNO(EACCES), others));
  if (error == 0) error = seccomp_load(filter.get());
  if (error != 0) return Unimplemented("seccomp: {}", std::strerror(-error));
  return absl::OkStatus();
}

}  // namespace tutti
