#pragma once

#include <sys/types.h>

#include "pool/channel.h"
#include "pool/child_process.h"
#include "pool/pool_options.h"

namespace tutti {

// The life of the nursery from right after its fork: the process that loads the models once and in which no thread ever
// runs, so that workers can be forked from it at any time and share the weights. It forks, kills and reaps on the
// front's word, and ends with it.
//
// `parent` is the front. `options` are used as they were at the fork.
[[noreturn]] void RunNursery(Channel front, pid_t parent, const PoolOptions& options);

// Forks one from this process, in which no thread may run.
absl::StatusOr<ChildProcess> ForkNursery(const PoolOptions& options);

}  // namespace tutti
