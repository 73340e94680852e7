#pragma once

#include <sys/types.h>

#include <functional>

#include "base/status.h"
#include "pool/channel.h"

namespace tutti {

// As the process has it that asked for it.
struct ChildProcess {
  Channel channel;
  pid_t pid = 0;
};

pid_t ForkChild();    // fork()
pid_t ForkSibling();  // a child of our parent, which so learns how it ends

// A new process that runs `body`, which does not return, with the other end of the channel. No other thread may run in
// this one. ResourceExhausted when the system has no more processes or descriptors.
absl::StatusOr<ChildProcess> StartProcess(const std::function<void(Channel channel)>& body,
                                          pid_t (*fork_process)() = ForkChild);

}  // namespace tutti
