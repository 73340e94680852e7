#include "cli/isolation_flags.h"

#include <algorithm>
#include <utility>

#include "cli/machine.h"

namespace tutti {
namespace {

constexpr int kDefaultRetries = 2;

}  // namespace

void IsolationFlags::AddTo(CLI::App& app) {
  app.add_option("--isolation", isolation_,
                 "who does the work: threads of one process, or processes that share one copy of the models, so that a "
                 "recording that crashes its decoder harms no other")
      ->check(CLI::IsMember({"thread", "process"}))
      ->option_text("thread|process")
      ->default_str("thread")
      ->group("Isolation");
  app.add_option("--processes", processes_,
                 "processes, each with --threads threads (one, when that is not given); 0: as many as the cores allow")
      ->check(CLI::Range(0, 256))
      ->option_text("N")
      ->default_str("0")
      ->group("Isolation");
  app.add_option("--retries", retries_, "further attempts at a recording that ended its process, each alone in one")
      ->check(CLI::Range(0, 1000))
      ->option_text("N")
      ->default_str("2")
      ->group("Isolation");
  app.add_option("--process-memory", memory_mb_,
                 "MB that a process may take beyond the models before it is ended; 0: no limit")
      ->check(CLI::NonNegativeNumber)
      ->option_text("MB")
      ->default_str("0")
      ->group("Isolation");
}

absl::Status IsolationFlags::Check() const {
  if (by_processes()) return absl::OkStatus();
  const char* flag = processes_ > 0 ? "--processes" : retries_ >= 0 ? "--retries" : "--process-memory";
  if (processes_ > 0 || retries_ >= 0 || memory_mb_ > 0) return InvalidArgument("{} needs --isolation process", flag);
  return absl::OkStatus();
}

absl::StatusOr<IsolationFlags::Made> IsolationFlags::Create(RecognizerOptions options) const {
  Made made;
  if (!by_processes()) {
    TUTTI_ASSIGN_OR_RETURN(made.recognizer, Recognizer::Create(options));
    return made;
  }
  PoolOptions pool_options;
  const int threads = std::max(options.threads, 1);
  pool_options.processes = processes_ > 0 ? processes_ : std::max(AvailableCores() / threads, 1);
  options.threads = threads;
  pool_options.recognizer = std::move(options);
  pool_options.retries = retries_ >= 0 ? retries_ : kDefaultRetries;
  pool_options.worker_memory_bytes = static_cast<int64_t>(memory_mb_ * 1e6);
  pool_options.max_deaths_in_a_row = std::max(20, 4 * (pool_options.retries + 1) * pool_options.processes);
  TUTTI_ASSIGN_OR_RETURN(auto pool, ProcessPool::Create(pool_options));
  made.pool = pool.get();
  made.recognizer = std::move(pool);
  return made;
}

std::string IsolationFlags::Report(const Made& made) {
  if (made.pool == nullptr) return "";
  const PoolStats stats = made.pool->pool_stats();
  if (stats.died == 0) return "";
  return fmt::format(
      "{} of {} processes died ({} of them hung); {} attempts at recordings began anew, {} were given up", stats.died,
      stats.started, stats.hung, stats.retried, stats.quarantined);
}

}  // namespace tutti
