#include "service/job_json.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "service/json_text.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

Json TimeOrNull(int64_t ms) { return ms == 0 ? Json(nullptr) : Json(ms); }

// Names come from clients; what is not UTF-8 becomes U+FFFD.
// All but the closing brace, so that a result of megabytes can follow without being parsed.
std::string Opened(const Job& job) {
  Json error = nullptr;
  if (job.state == JobState::kFailed) error = {{"code", job.error_code}, {"message", job.error_message}};
  const Json json = {{"id", job.id},
                     {"state", Name(job.state)},
                     {"progress", std::round(job.progress * 1e4) / 1e4},
                     {"file", job.file_name},
                     {"attempts", job.attempts},
                     {"created_ms", TimeOrNull(job.created_ms)},
                     {"started_ms", TimeOrNull(job.started_ms)},
                     {"finished_ms", TimeOrNull(job.finished_ms)},
                     {"error", error}};
  std::string text = JsonText(json);
  text.pop_back();
  return text;
}

}  // namespace

std::string JobJson(const Job& job) {
  std::string_view result = "null";
  if (job.state == JobState::kDone && !job.result.empty()) result = job.result;
  while (result.ends_with('\n')) result.remove_suffix(1);
  return Opened(job) + ",\"result\":" + std::string(result) + "}";
}

std::string JobListJson(const std::vector<Job>& jobs, int limit) {
  std::string text = "{\"jobs\":[";
  for (const Job& job : jobs) {
    if (&job != &jobs.front()) text += ',';
    text += Opened(job);
    text += '}';
  }
  const bool more = !jobs.empty() && static_cast<int64_t>(jobs.size()) >= limit;
  text += fmt::format("],\"next_before\":{}}}", more ? fmt::format("{}", jobs.back().created_ms) : "null");
  return text;
}

}  // namespace tutti
