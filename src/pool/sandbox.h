#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/status.h"

namespace tutti {

// Makes the calling process one that dies with its parent, SIGKILL and SIGSTOP of the parent included. `parent` is who
// that was at the fork; when it is gone already, the process ends here.
void DieWithParent(pid_t parent);

// Signals that end or stop a whole terminal's or service's processes are for the front, which drains the pool.
void IgnoreEndingSignals();

// Keeps `kept` and the three standard descriptors, closes all others.
void CloseOtherFds(int kept);

// Standard input and output become /dev/null: whoever waits for the end of the program's output shall not wait for a
// process that has none.
void LeaveStandardStreams();

// No core files, and with `memory_bytes` > 0 no more than so many bytes of memory of its own beyond what the process
// has now. InvalidArgument when the system refuses.
absl::Status LimitResources(int64_t memory_bytes);

// From now on the process and all threads that it starts can open no file, make no socket, change no file system, run
// no program, start no process and touch no other process: those calls fail with EACCES. What is open stays usable.
// Unimplemented where the system has no such filters.
absl::Status ForbidSystemCalls();

}  // namespace tutti
