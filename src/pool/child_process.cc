#include "pool/child_process.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tutti {

pid_t ForkChild() { return fork(); }

pid_t ForkSibling() { return static_cast<pid_t>(syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0)); }

absl::StatusOr<ChildProcess> StartProcess(const std::function<void(Channel channel)>& body, pid_t (*fork_process)()) {
  TUTTI_ASSIGN_OR_RETURN(auto ends, Channel::Pair());
  auto& [ours, theirs] = ends;
  const pid_t pid = fork_process();
  if (pid < 0) return ResourceExhausted("process pool: cannot fork: {}", std::strerror(errno));
  if (pid == 0) {
    ours.Close();
    body(std::move(theirs));
    _exit(EXIT_FAILURE);
  }
  return ChildProcess{.channel = std::move(ours), .pid = pid};
}

}  // namespace tutti
