#include "cli/job_report.h"

#include <fmt/chrono.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "base/seconds.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

// In the form of ISO 8601, UTC.
std::string Time(int64_t ms) { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time_t{ms / 1000})); }
Json TimeOrNull(int64_t ms) { return ms == 0 ? Json(nullptr) : Json(Time(ms)); }

Json ErrorJson(const absl::Status& error) {
  if (error.ok()) return nullptr;
  return {{"code", absl::StatusCodeToString(error.code())}, {"message", Message(error)}};
}

double RunSeconds(const JobReport& report) {
  const int64_t end = report.running ? report.now_ms : report.run.last_ms;
  return SecondsOf(end - report.run.started_ms);
}

}  // namespace

double JobReport::x_real_time() const {
  const double seconds = RunSeconds(*this);
  return seconds > 0 ? SecondsOf(run.audio_ms) / seconds : 0;
}

double JobReport::seconds_left() const {
  const int64_t finished = run.done + run.failed;
  if (!running || finished == 0) return -1;
  return RunSeconds(*this) / static_cast<double>(finished) * static_cast<double>(counts.waiting);
}

std::string RenderText(const JobReport& report) {
  std::string text = fmt::format("{}: {} recordings, {} done, {} failed, {} waiting; {:.1f} s of audio\n", report.file,
                                 report.counts.all(), report.counts.done, report.counts.failed, report.counts.waiting,
                                 SecondsOf(report.counts.audio_ms));
  if (report.run.started_ms != 0) {
    const double left = report.seconds_left();
    const std::string_view state = report.running ? "running" : report.run.ended_ms != 0 ? "ended" : "was killed";
    text += fmt::format("last run: {}, since {}: {} done, {} failed, {:.1f} x real time{}\n", state,
                        Time(report.run.started_ms), report.run.done, report.run.failed, report.x_real_time(),
                        left < 0 ? "" : fmt::format(", {:.0f} s left", left));
  }
  for (const JournalRecording& each : report.failed) {
    text += fmt::format("failed ({} {}): {}: {}\n", each.attempts, each.attempts == 1 ? "try" : "tries", each.path,
                        Message(each.error));
  }
  return text;
}

std::string RenderJson(const JobReport& report) {
  Json failed = Json::array();
  for (const JournalRecording& each : report.failed) {
    failed.push_back({{"file", each.path}, {"attempts", each.attempts}, {"error", ErrorJson(each.error)}});
  }
  const double left = report.seconds_left();
  return Dump({{"job", report.file},
               {"running", report.running},
               {"recordings", report.counts.all()},
               {"done", report.counts.done},
               {"failed", report.counts.failed},
               {"waiting", report.counts.waiting},
               {"audio_seconds", SecondsOf(report.counts.audio_ms)},
               {"run",
                {{"started", TimeOrNull(report.run.started_ms)},
                 {"ended", TimeOrNull(report.run.ended_ms)},
                 {"done", report.run.done},
                 {"failed", report.run.failed},
                 {"audio_seconds", SecondsOf(report.run.audio_ms)},
                 {"x_real_time", report.x_real_time()},
                 {"seconds_left", left < 0 ? Json(nullptr) : Json(left)}}},
               {"failed_recordings", std::move(failed)}},
              2);
}

std::string ExportLine(const JournalRecording& recording, const std::vector<std::string>& formats,
                       const std::vector<std::string>& texts) {
  Json line = {{"file", recording.path},
               {"state", Name(recording.state)},
               {"attempts", recording.attempts},
               {"error", ErrorJson(recording.error)},
               {"bytes", recording.file.size < 0 ? Json(nullptr) : Json(recording.file.size)},
               {"sha256", recording.file.sha256.empty() ? Json(nullptr) : Json(recording.file.sha256)},
               {"audio_seconds", SecondsOf(recording.audio_ms)},
               {"finished", TimeOrNull(recording.finished_ms)},
               {"output", recording.output}};
  Json results = nullptr;
  for (size_t i = 0; i < texts.size(); ++i) {
    Json value = texts[i];
    if (formats[i].starts_with("json")) {
      if (Json parsed = Json::parse(texts[i], nullptr, false); !parsed.is_discarded()) value = std::move(parsed);
    }
    results[formats[i]] = std::move(value);
  }
  line["results"] = std::move(results);
  return Dump(line, -1);
}

}  // namespace tutti
