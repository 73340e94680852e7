#pragma once

#include "base/unique_fd.h"
#include "engine/parts.h"
#include "pool/channel.h"
#include "pool/pool_options.h"

namespace tutti {

// A worker ends with this code when it ran out of memory.
inline constexpr int kOutOfMemoryExit = 12;

// The life of a worker process from right after its fork: sets up its limits, starts a recogniser of its own over the
// models that it was born with, and does jobs until the front closes the socket or kills it. `log` becomes its standard
// error. `parent` is the process that has forked it.
[[noreturn]] void RunWorker(Channel channel, UniqueFd log, pid_t parent, int slot, const PoolOptions& options,
                            const RecognizerParts& parts);

}  // namespace tutti
