#include "cli/summary.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/file.h"
#include "base/seconds.h"
#include "cli/exit_codes.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

Json TextOrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

}  // namespace

std::string RenderSummary(const RunSummary& run, const BatchResult& result) {
  const RunState& state = result.state;
  Json failed = Json::array();
  for (const FailedInput& input : result.failed) {
    failed.push_back({{"file", input.file},
                      {"code", absl::StatusCodeToString(input.status.code())},
                      {"message", Message(input.status)}});
  }
  Json json = {{"command", run.command},
               {"version", TUTTI_VERSION},
               {"model", TextOrNull(run.model)},
               {"vad", TextOrNull(run.vad)},
               {"compute_type", run.compute_type},
               {"threads", run.threads},
               {"recordings", state.files},
               {"done", state.done},
               {"skipped", state.skipped},
               {"audio_seconds", state.audio_seconds},
               {"load_seconds", run.load_seconds},
               {"wall_seconds", state.elapsed_seconds},
               {"x_real_time", state.x_real_time()},
               {"peak_memory_bytes", run.peak_memory_bytes},
               {"interrupted", result.interrupted},
               {"failed", std::move(failed)}};
  if (!run.job.empty()) {
    json["job"] = {{"file", run.job},
                   {"recordings", run.job_counts.all()},
                   {"done", run.job_counts.done},
                   {"failed", run.job_counts.failed},
                   {"waiting", run.job_counts.waiting},
                   {"audio_seconds", SecondsOf(run.job_counts.audio_ms)}};
  }
  if (run.pool) {
    json["pool"] = {
        {"started", run.pool->started}, {"start_seconds", run.pool->start_seconds}, {"died", run.pool->died},
        {"hung", run.pool->hung},       {"recycled", run.pool->recycled},           {"reloaded", run.pool->reloaded},
        {"retried", run.pool->retried}, {"quarantined", run.pool->quarantined},     {"sandboxed", run.pool->sandboxed}};
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

int Conclude(const RunSummary& run, const BatchResult& result, const std::string& file, ProgressDisplay& display) {
  display.End(result.state, run.peak_memory_bytes, result.interrupted);
  bool failed = !result.failed.empty();
  if (!result.output.ok()) {
    display.Say(Message(result.output));
    failed = true;
  }
  if (!file.empty()) {
    if (const absl::Status status = WriteFileAtomically(file, RenderSummary(run, result)); !status.ok()) {
      display.Say(Message(status));
      failed = true;
    }
  }
  if (result.interrupted) return kExitInterrupted;
  return failed ? kExitFailed : kExitOk;
}

}  // namespace tutti
