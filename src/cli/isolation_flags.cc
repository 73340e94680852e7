#include "cli/isolation_flags.h"

#include <chrono>
#include <utility>

#include "cli/number_check.h"

namespace tutti {
namespace {

constexpr double kMaxMinutes = 366 * 24 * 60, kMaxMegabytes = 1e9;

}  // namespace

void ProcessLimits::ApplyTo(PoolOptions& options) const {
  options.worker_memory_bytes = static_cast<int64_t>(memory_mb * 1e6);
  options.recycle_recordings = recycle_after;
  options.recycle_age = std::chrono::milliseconds(static_cast<int64_t>(recycle_minutes * 60'000));
  options.recycle_resident_bytes = static_cast<int64_t>(recycle_memory_mb * 1e6);
}

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
  app.add_option("--process-memory", limits_.memory_mb,
                 "MB that a process may take beyond the models before it is ended; 0: no limit")
      ->check(NumberBetween(0, kMaxMegabytes))
      ->option_text("MB")
      ->default_str("0")
      ->group("Isolation");
  app.add_option("--recycle-after", limits_.recycle_after, "recordings after which a process is replaced; 0: never")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N")
      ->default_str("0")
      ->group("Isolation");
  app.add_option("--recycle-minutes", limits_.recycle_minutes, "age at which a process is replaced; 0: never")
      ->check(NumberBetween(0, kMaxMinutes))
      ->option_text("MIN")
      ->default_str("0")
      ->group("Isolation");
  app.add_option("--recycle-memory", limits_.recycle_memory_mb,
                 "MB of resident memory, the models included, at which a process is replaced; 0: never")
      ->check(NumberBetween(0, kMaxMegabytes))
      ->option_text("MB")
      ->default_str("0")
      ->group("Isolation");
}

absl::Status IsolationFlags::Check() const {
  if (by_processes()) return absl::OkStatus();
  const std::pair<bool, const char*> given[] = {{processes_ > 0, "--processes"},
                                                {retries_ >= 0, "--retries"},
                                                {limits_.memory_mb > 0, "--process-memory"},
                                                {limits_.recycle_after > 0, "--recycle-after"},
                                                {limits_.recycle_minutes > 0, "--recycle-minutes"},
                                                {limits_.recycle_memory_mb > 0, "--recycle-memory"}};
  for (const auto& [is_given, flag] : given) {
    if (is_given) return InvalidArgument("{} needs --isolation process", flag);
  }
  return absl::OkStatus();
}

absl::StatusOr<IsolationFlags::Made> IsolationFlags::Create(RecognizerOptions options) const {
  Made made;
  if (!by_processes()) {
    TUTTI_ASSIGN_OR_RETURN(made.recognizer, Recognizer::Create(options));
    return made;
  }
  PoolOptions pool_options;
  pool_options.processes = processes_;
  pool_options.recognizer = std::move(options);
  if (retries_ >= 0) pool_options.retries = retries_;
  limits_.ApplyTo(pool_options);
  TUTTI_ASSIGN_OR_RETURN(made.forker, Forker::Create([] { return absl::OkStatus(); }));
  TUTTI_ASSIGN_OR_RETURN(auto pool, ProcessPool::Create(std::move(pool_options), made.forker.get()));
  made.pool = pool.get();
  made.recognizer = std::move(pool);
  return made;
}

std::string IsolationFlags::Report(const Made& made) {
  if (made.pool == nullptr) return "";
  const PoolStats stats = made.pool->pool_stats();
  if (stats.died == 0 && stats.reloaded == 0) return "";
  return fmt::format(
      "{} of {} processes died ({} of them hung), {} times all of them with the one that holds the models; {} attempts "
      "at recordings began anew, {} were given up",
      stats.died, stats.started, stats.hung, stats.reloaded, stats.retried, stats.quarantined);
}

}  // namespace tutti
