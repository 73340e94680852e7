#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "server/asio.h"
#include "server/http_exchange.h"
#include "service/config.h"
#include "service/job_clock.h"
#include "service/job_runner.h"
#include "service/job_store.h"
#include "service/keys.h"
#include "service/log.h"
#include "service/metrics.h"
#include "service/model_table.h"
#include "service/rate_limiter.h"
#include "service/spool.h"
#include "service/transcribe_fields.h"

namespace boost::asio::ssl {
class context;
}

namespace tutti {

// What all requests share. Each part has a thread contract of its own; the plain members belong to the service's
// thread.
struct Service {
  Service(const ServeOptions& serve_options, asio::io_context& context)
      : options(serve_options),
        io(context),
        limiter(serve_options.limits.requests_per_minute, serve_options.limits.request_burst) {
    TakeLimits();
  }

  // To be called when options.limits has changed.
  void TakeLimits() {
    http.max_body_bytes = options.limits.max_body_bytes;
    http.header_time = std::chrono::milliseconds(static_cast<int64_t>(options.limits.header_seconds * 1000));
    http.body_time = std::chrono::milliseconds(static_cast<int64_t>(options.limits.body_seconds * 1000));
    max_duration_ms = static_cast<int64_t>(options.limits.max_audio_seconds * 1000);
    limiter.SetRate(options.limits.requests_per_minute, options.limits.request_burst);
    if (spool != nullptr) spool->SetMaxBytes(options.limits.spool_bytes);
  }
  RequestBounds bounds() const { return {.max_duration_ms = max_duration_ms}; }  // thread-safe

  ServeOptions options;  // a reload changes them
  asio::io_context& io;
  asio::thread_pool blocking{2};  // for what waits: disks, databases, loading
  HttpLimits http;
  std::atomic<int64_t> max_duration_ms;  // jobs ask for it on a thread of theirs
  std::unique_ptr<ModelTable> models;
  std::shared_ptr<Spool> spool;
  RateLimiter limiter;
  Metrics metrics;
  std::unique_ptr<Log> log;
  std::shared_ptr<asio::ssl::context> client_tls;  // for calls to others

  JobClock job_clock;
  std::unique_ptr<JobStore> job_store;   // null: jobs are off
  std::unique_ptr<JobRunner> jobs;       // likewise
  std::shared_ptr<const KeyStore> keys;  // null: everybody is welcome
  int64_t connections = 0;
  std::set<Transport*> transports;  // of the connections
  int64_t active = 0;               // requests between header and answer
  int64_t uploads = 0;              // bodies being received
  bool draining = false;
  const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

// What is known of a request before its handler runs.
struct RequestContext {
  std::string tenant;  // of the API key; without keys, the peer's address
  std::string request_id;
  std::string trace_id, parent_id;  // of the client's traceparent, or made here
  std::chrono::steady_clock::time_point began;
  std::optional<double> retry_after_seconds;  // of the client's own rate; none: the queue's
  // For the log.
  std::string model;
  double audio_seconds = 0;
  Timings timings;
  std::string error_code;
};

// Runs `work` on a thread that may wait, and comes back to the service's thread with its result.
template <typename Work>
auto RunBlocking(Service& service, Work work) -> Awaitable<decltype(work())> {
  using Result = decltype(work());
  // gcc 12 destroys a lambda twice that is made within co_await.
  auto run = [work = std::move(work)]() mutable -> Awaitable<Result> { co_return work(); };
  co_return co_await asio::co_spawn(service.blocking, std::move(run), asio::use_awaitable);
}

}  // namespace tutti
