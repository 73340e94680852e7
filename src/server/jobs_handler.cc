#include <nlohmann/json.hpp>
#include <utility>

#include "pipeline/formats.h"
#include "server/fetch.h"
#include "server/handlers.h"
#include "server/upload.h"
#include "service/api_error.h"
#include "service/job_json.h"
#include "service/job_spool.h"

namespace tutti {
namespace {

constexpr std::string_view kJobs = "/v1/jobs";

absl::Status JobsAreOff() { return NotFound("this service keeps no jobs (--jobs FILE)"); }

std::string IdOf(const HttpExchange& exchange) { return std::string(exchange.path().substr(kJobs.size() + 1)); }

// Refuses now what could not run later.
absl::Status CheckJob(Service& service, const Upload& upload) {
  TUTTI_ASSIGN_OR_RETURN(const auto model, service.models->Find(upload.fields.Text("model")));
  TUTTI_RETURN_IF_ERROR(
      ReadTranscribeOptions(upload.fields, AbilitiesOf(*model->recognizer), service.bounds()).status());
  const std::string webhook = upload.fields.Text("webhook");
  if (!webhook.empty()) TUTTI_RETURN_IF_ERROR(CheckUrl(service, "webhook", webhook).status());
  for (const char* known : {"name", "url"}) upload.fields.Has(known);
  TUTTI_RETURN_IF_ERROR(upload.fields.RefuseUnknown());
  if (upload.file == nullptr) return FieldError("file", "the request has no audio");
  return absl::OkStatus();
}

// Blocks.
absl::StatusOr<Job> Store(Service& service, const Upload& upload, const std::string& tenant) {
  Job job;
  job.id = JobStore::NewId();
  job.tenant = tenant;
  job.file_name = upload.name;
  job.audio_path = JobAudioPath(service.spool->folder(), job.id);
  job.parameters = upload.fields.Json();
  job.webhook = upload.fields.Text("webhook");
  job.created_ms = service.job_clock.unix_ms();
  TUTTI_RETURN_IF_ERROR(KeepUpload(upload.file->path(), job.audio_path));
  if (const absl::Status submitted = service.jobs->Submit(job); !submitted.ok()) {
    unlink(job.audio_path.c_str());
    return submitted;
  }
  upload.file->HandOver();
  return job;
}

// What a client may know of it.
absl::Status NotStored(Service& service, const RequestContext& context, const absl::Status& status) {
  if (!absl::IsResourceExhausted(status) && !absl::IsUnavailable(status)) return status;
  const nlohmann::ordered_json line = {{"request_id", context.request_id}, {"what", Message(status)}};
  service.log->Write(LogLevel::kError, "job not stored", line);
  return Unavailable("the service cannot store the job now; try again later");
}

}  // namespace

Awaitable<void> HandleNewJob(Service& service, HttpExchange& exchange, RequestContext& context) {
  if (service.jobs == nullptr) co_return co_await SendError(service, exchange, context, JobsAreOff());
  auto upload = co_await ReceiveUpload(service, exchange);
  if (!upload.ok()) co_return co_await SendError(service, exchange, context, upload.status());
  const absl::Status checked = CheckJob(service, *upload);
  if (!checked.ok()) co_return co_await SendError(service, exchange, context, checked);
  auto store = [&service, &upload, &context] { return Store(service, *upload, context.tenant); };
  const auto job = co_await RunBlocking(service, std::move(store));
  if (!job.ok()) {
    const absl::Status told = NotStored(service, context, job.status());
    co_return co_await SendError(service, exchange, context, told);
  }
  exchange.AddHeader("Location", fmt::format("{}/{}", kJobs, job->id));
  co_await exchange.Send(202, "application/json", JobJson(*job));
}

Awaitable<void> HandleJob(Service& service, HttpExchange& exchange, RequestContext& context) {
  if (service.jobs == nullptr) co_return co_await SendError(service, exchange, context, JobsAreOff());
  auto get = [&] { return service.jobs->Get(IdOf(exchange), context.tenant); };
  const auto job = co_await RunBlocking(service, std::move(get));
  if (!job.ok()) co_return co_await SendError(service, exchange, context, job.status());
  co_await exchange.Send(200, "application/json", JobJson(*job));
}

Awaitable<void> HandleCancelJob(Service& service, HttpExchange& exchange, RequestContext& context) {
  if (service.jobs == nullptr) co_return co_await SendError(service, exchange, context, JobsAreOff());
  auto cancel = [&]() -> absl::StatusOr<Job> {
    TUTTI_RETURN_IF_ERROR(service.jobs->Cancel(IdOf(exchange), context.tenant));
    return service.jobs->Get(IdOf(exchange), context.tenant);
  };
  const auto job = co_await RunBlocking(service, std::move(cancel));
  if (!job.ok()) co_return co_await SendError(service, exchange, context, job.status());
  co_await exchange.Send(200, "application/json", JobJson(*job));
}

Awaitable<void> HandleJobs(Service& service, HttpExchange& exchange, RequestContext& context) {
  if (service.jobs == nullptr) co_return co_await SendError(service, exchange, context, JobsAreOff());
  Fields fields;
  absl::Status read = fields.AddQuery(exchange.query());
  std::optional<JobState> state;
  if (fields.Has("state")) {
    const auto parsed = ParseJobState(fields.Text("state"));
    if (parsed.ok()) state = *parsed;
    if (read.ok() && !parsed.ok()) read = FieldError("state", Message(parsed.status()));
  }
  const auto limit = fields.Integer("limit", 50, 1, 1000);
  const auto before = fields.Integer("before", INT64_MAX, 0, INT64_MAX);
  for (const absl::Status& status : {read, limit.status(), before.status(), fields.RefuseUnknown()}) {
    if (!status.ok()) co_return co_await SendError(service, exchange, context, status);
  }
  auto list = [&] { return service.jobs->List(context.tenant, state, static_cast<int>(*limit), *before); };
  const auto jobs = co_await RunBlocking(service, std::move(list));
  if (!jobs.ok()) co_return co_await SendError(service, exchange, context, jobs.status());
  co_await exchange.Send(200, "application/json", JobListJson(*jobs, static_cast<int>(*limit)));
}

}  // namespace tutti
