#include "server/jobs.h"

#include <boost/asio/detached.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "pipeline/formats.h"
#include "server/fetch.h"
#include "server/http_client.h"

namespace tutti {
namespace {

constexpr std::chrono::seconds kWebhookTime{15};
constexpr int64_t kMaxWebhookAnswer = 64 << 10;

// Uploads that were on their way when the service was killed.
void RemoveUnfinishedUploads(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.path().filename().string().starts_with(kUploadPrefix)) std::filesystem::remove(entry.path(), ignored);
  }
}

absl::StatusOr<JobRunner::Prepared> Prepare(Service& service, const Job& job) {
  Fields fields;
  TUTTI_RETURN_IF_ERROR(fields.AddJson(job.parameters));
  TUTTI_ASSIGN_OR_RETURN(const auto model, service.models->Find(fields.Text("model")));
  TUTTI_ASSIGN_OR_RETURN(TranscribeOptions options,
                         ReadTranscribeOptions(fields, AbilitiesOf(*model->recognizer), service.bounds()));
  if (!fields.Has("priority")) options.priority = Priority::kBatch;
  std::error_code ignored;
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(job.audio_path, ignored));
  return JobRunner::Prepared{
      .work = {.tenant = job.tenant,
               .seconds = EstimateSeconds("", std::max<int64_t>(bytes, 0)),
               .input = AudioInput::Upload(job.audio_path, job.file_name),
               .options = std::move(options),
               .on_done = nullptr},
      .submit = [model](Dispatcher::Work work) { return model->dispatcher->Submit(std::move(work)); }};
}

// From any thread.
void Post(Service& service, const std::string& text, std::vector<std::pair<std::string, std::string>> headers,
          std::string body, WebhookSender::Done done) {
  ClientRequest request;
  request.method = "POST";
  request.headers = std::move(headers);
  request.body = std::move(body);
  request.deadline = std::chrono::steady_clock::now() + kWebhookTime;
  request.allow_private = true;  // the operator has named the host
  request.max_bytes = kMaxWebhookAnswer;
  auto run = [&service, text, request = std::move(request), done = std::move(done)]() mutable -> Awaitable<void> {
    const auto url = CheckUrl(service, "webhook", text);
    if (!url.ok()) co_return done(url.status());
    request.url = *url;
    request.tls = service.client_tls;
    std::function<absl::Status(std::string_view)> drop = [](std::string_view) { return absl::OkStatus(); };
    const auto answer = co_await SendRequest(std::move(request), std::move(drop));
    done(answer);
  };
  asio::co_spawn(service.io, std::move(run), asio::detached);
}

}  // namespace

absl::Status StartJobs(Service& service) {
  const ServeOptions& options = service.options;
  if (options.files.jobs.empty()) return absl::OkStatus();
  TUTTI_ASSIGN_OR_RETURN(service.job_store, JobStore::Open(options.files.jobs));
  RemoveUnfinishedUploads(service.spool->folder());
  JobRunnerOptions runner;
  runner.spool = service.spool->folder();
  runner.retention = std::chrono::milliseconds(static_cast<int64_t>(options.files.retention_hours * 3'600'000));
  runner.webhooks.secret = options.security.webhook_secret;
  JobRunner::Parts parts;
  parts.prepare = [&service](const Job& job) { return Prepare(service, job); };
  parts.render = [](const Transcript& transcript) { return Render(transcript, Format::kJsonl); };
  parts.post = [&service](const std::string& url, std::vector<std::pair<std::string, std::string>> headers,
                          std::string body, WebhookSender::Done done) {
    Post(service, url, std::move(headers), std::move(body), std::move(done));
  };
  parts.report = [&service](const absl::Status& status) {
    const nlohmann::ordered_json line = {{"what", Message(status)}};
    service.log->Write(LogLevel::kError, "jobs", line);
  };
  parts.count_audio = [spool = service.spool](int64_t bytes) { spool->Count(bytes); };
  TUTTI_ASSIGN_OR_RETURN(service.jobs,
                         JobRunner::Create(*service.job_store, service.job_clock, runner, std::move(parts)));
  return absl::OkStatus();
}

}  // namespace tutti
