#include "service/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <chrono>
#include <deque>
#include <fstream>
#include <utility>

#include "base/mutex.h"
#include "base/seconds.h"

namespace tutti {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kRecent{60};

// Resident bytes of this process; 0 where the system does not say.
double ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  double total = 0, resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

}  // namespace

struct Metrics::State {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter().Name("tutti_http_requests_total").Help("Answered requests").Register(registry);
  prometheus::Family<prometheus::Histogram>& request_seconds =
      prometheus::BuildHistogram()
          .Name("tutti_http_request_seconds")
          .Help("Time from a request's header to the end of its answer")
          .Register(registry);
  prometheus::Family<prometheus::Histogram>& stage_seconds =
      prometheus::BuildHistogram()
          .Name("tutti_stage_seconds")
          .Help("CPU time of a recording's stages; wall is from admission by the engine to the result")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& audio =
      prometheus::BuildCounter().Name("tutti_audio_seconds_total").Help("Transcribed audio").Register(registry);
  prometheus::Family<prometheus::Counter>& transcripts =
      prometheus::BuildCounter().Name("tutti_transcripts_total").Help("Finished transcriptions").Register(registry);
  prometheus::Family<prometheus::Counter>& errors =
      prometheus::BuildCounter().Name("tutti_errors_total").Help("Failed requests by error code").Register(registry);
  prometheus::Family<prometheus::Gauge>& gauges_http =
      prometheus::BuildGauge().Name("tutti_http_connections").Help("Open connections").Register(registry);
  prometheus::Gauge& connections = gauges_http.Add({});
  prometheus::Gauge& uploads =
      prometheus::BuildGauge().Name("tutti_uploads").Help("Request bodies being received").Register(registry).Add({});
  prometheus::Gauge& spool =
      prometheus::BuildGauge().Name("tutti_spool_bytes").Help("Uploads on disk").Register(registry).Add({});
  prometheus::Family<prometheus::Gauge>& waiting =
      prometheus::BuildGauge().Name("tutti_queue_seconds").Help("Audio accepted and unfinished").Register(registry);
  prometheus::Family<prometheus::Gauge>& pending =
      prometheus::BuildGauge().Name("tutti_queue_requests").Help("Requests accepted and unfinished").Register(registry);
  prometheus::Family<prometheus::Gauge>& batch_fill =
      prometheus::BuildGauge()
          .Name("tutti_batch_fill")
          .Help("Audio of the average batch since the start, as a share of its budget")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& network = prometheus::BuildGauge()
                                                       .Name("tutti_network_seconds")
                                                       .Help("CPU time of the workers in the network since the start")
                                                       .Register(registry);
  prometheus::Family<prometheus::Gauge>& processes = prometheus::BuildGauge()
                                                         .Name("tutti_processes")
                                                         .Help("Processes that take recordings, with isolation process")
                                                         .Register(registry);
  prometheus::Family<prometheus::Gauge>& processes_died =
      prometheus::BuildGauge()
          .Name("tutti_processes_died")
          .Help("Processes that died since the models were loaded, with isolation process")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& info =
      prometheus::BuildGauge().Name("tutti_model_info").Help("1 for each model that is loaded").Register(registry);
  prometheus::Gauge& real_time = prometheus::BuildGauge()
                                     .Name("tutti_audio_per_second")
                                     .Help("Seconds of audio transcribed a second, over the last minute")
                                     .Register(registry)
                                     .Add({});
  prometheus::Gauge& memory = prometheus::BuildGauge()
                                  .Name("tutti_resident_bytes")
                                  .Help("Resident memory of the process")
                                  .Register(registry)
                                  .Add({});
  prometheus::Gauge& draining = prometheus::BuildGauge()
                                    .Name("tutti_draining")
                                    .Help("1 while the service finishes and accepts nothing")
                                    .Register(registry)
                                    .Add({});

  const Clock::time_point started = Clock::now();
  mutable Mutex mu;
  mutable std::deque<std::pair<Clock::time_point, double>> recent TUTTI_GUARDED_BY(mu);  // seconds of audio
  double audio_seconds TUTTI_GUARDED_BY(mu) = 0;
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Metrics::CountRequest(const std::string& route, int status, double seconds) {
  state_->requests.Add({{"route", route}, {"status", std::to_string(status)}}).Increment();
  static const prometheus::Histogram::BucketBoundaries kSeconds = {0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1,
                                                                   3,     10,    30,   100,  300, 1000};
  state_->request_seconds.Add({{"route", route}}, kSeconds).Observe(seconds);
}

void Metrics::CountTranscript(const std::string& model, const Transcript& transcript) {
  const double seconds = SecondsOf(transcript.duration_ms);
  state_->audio.Add({{"model", model}}).Increment(seconds);
  state_->transcripts.Add({{"model", model}}).Increment();
  static const prometheus::Histogram::BucketBoundaries kSeconds = {0.001, 0.003, 0.01, 0.03, 0.1, 0.3,
                                                                   1,     3,     10,   30,   100, 300};
  const Timings& t = transcript.timings;
  const std::pair<const char*, double> stages[] = {
      {"decode", t.decode}, {"vad", t.vad}, {"features", t.features}, {"recognise", t.recognise}, {"wall", t.wall}};
  for (const auto& [stage, time] : stages) state_->stage_seconds.Add({{"stage", stage}}, kSeconds).Observe(time);
  MutexLock lock(state_->mu);
  state_->audio_seconds += seconds;
  state_->recent.emplace_back(Clock::now(), seconds);
}

void Metrics::CountError(const std::string& code) { state_->errors.Add({{"code", code}}).Increment(); }
void Metrics::SetConnections(int64_t open) { state_->connections.Set(static_cast<double>(open)); }
void Metrics::SetUploads(int64_t receiving, int64_t spool_bytes) {
  state_->uploads.Set(static_cast<double>(receiving));
  state_->spool.Set(static_cast<double>(spool_bytes));
}
void Metrics::SetDraining(bool draining) { state_->draining.Set(draining ? 1 : 0); }

void Metrics::SetModel(const std::string& name, const std::string& compute_type, int threads,
                       const RecognizerStats& stats, const Dispatcher::Load& load) {
  state_->info.Add({{"model", name}, {"compute_type", compute_type}, {"threads", std::to_string(threads)}}).Set(1);
  state_->waiting.Add({{"model", name}, {"state", "waiting"}}).Set(load.waiting_seconds);
  state_->waiting.Add({{"model", name}, {"state", "running"}}).Set(load.running_seconds);
  state_->pending.Add({{"model", name}, {"state", "waiting"}}).Set(static_cast<double>(load.waiting));
  state_->pending.Add({{"model", name}, {"state", "running"}}).Set(static_cast<double>(load.running));
  const double room = static_cast<double>(stats.batches) * stats.batch_budget_seconds;
  state_->batch_fill.Add({{"model", name}}).Set(room > 0 ? stats.batched_seconds / room : 0);
  state_->network.Add({{"model", name}}).Set(stats.network_seconds);
  state_->processes.Add({{"model", name}}).Set(static_cast<double>(stats.processes));
  state_->processes_died.Add({{"model", name}}).Set(static_cast<double>(stats.processes_died));
}

double Metrics::AudioPerSecond() const {
  MutexLock lock(state_->mu);
  const auto now = Clock::now();
  auto& recent = state_->recent;
  while (!recent.empty() && recent.front().first < now - kRecent) recent.pop_front();
  double sum = 0;
  for (const auto& [time, seconds] : recent) sum += seconds;
  const std::chrono::duration<double> span = std::min<Clock::duration>(kRecent, now - state_->started);
  return span.count() > 0 ? sum / span.count() : 0;
}

double Metrics::audio_seconds() const {
  MutexLock lock(state_->mu);
  return state_->audio_seconds;
}

std::string Metrics::Render() const {
  state_->real_time.Set(AudioPerSecond());
  state_->memory.Set(ResidentBytes());
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace tutti
