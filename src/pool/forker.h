#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "pool/channel.h"
#include "pool/child_process.h"
#include "pool/pool_options.h"

namespace tutti {

// A process that is forked before this one has any thread, and has none itself, so that nurseries can be forked from it
// at any time: for models that are loaded anew while this process serves.
//
// Thread-safe. It and the nurseries end with the thread that called Create, or before: let it be one that outlives
// them.
class Forker {
 public:
  // `prepare` runs in the new process before all else: to give up rights, say. Its error is that of every Fork.
  static absl::StatusOr<std::unique_ptr<Forker>> Create(const std::function<absl::Status()>& prepare);
  ~Forker();
  Forker(const Forker&) = delete;
  Forker& operator=(const Forker&) = delete;

  // A nursery is a child of this process, as if it had been forked here. It is told the recogniser's options, beat and
  // worker_memory_bytes; the other options are the front's. Not for options with `load`.
  absl::StatusOr<ChildProcess> Fork(const PoolOptions& options) TUTTI_EXCLUDES(mu_);

 private:
  explicit Forker(ChildProcess process) : pid_(process.pid), channel_(std::move(process.channel)) {}

  const pid_t pid_;
  Mutex mu_;  // one question at a time
  Channel channel_ TUTTI_GUARDED_BY(mu_);
};

}  // namespace tutti
