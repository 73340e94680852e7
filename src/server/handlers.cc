#include "server/handlers.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/seconds.h"
#include "server/assets.h"
#include "service/api_error.h"
#include "service/json_text.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

Json ModelJson(const LoadedModel& model) {
  Json tasks = Json::array({"transcribe"});
  if (model.recognizer->translates()) tasks.push_back("translate");
  return {{"id", model.name},
          {"object", "model"},
          {"created", 0},
          {"owned_by", "tutti"},
          {"languages", model.recognizer->languages()},
          {"tasks", std::move(tasks)}};
}

constexpr std::string_view kOk = R"({"status":"ok"})";

// Beyond this share of its queue a service asks load balancers to prefer others.
constexpr double kHighWater = 0.9;

double LongestWait(Service& service) {
  double longest = 1;
  for (const auto& model : service.models->all()) longest = std::max(longest, model->dispatcher->RetryAfterSeconds());
  return longest;
}

}  // namespace

Awaitable<void> SendError(Service& service, HttpExchange& exchange, RequestContext& context, const absl::Status& status,
                          std::string_view body) {
  HttpExchange::Headers headers;
  const int code = exchange.body_too_slow() ? 408 : HttpStatusOf(status);
  if (code == 429 || code == 503) {
    const double seconds = std::ceil(context.retry_after_seconds.value_or(LongestWait(service)));
    headers.emplace_back("Retry-After", std::to_string(static_cast<int64_t>(std::max(seconds, 1.0))));
  }
  if (code == 401) headers.emplace_back("WWW-Authenticate", "Bearer");
  context.error_code = absl::StatusCodeToString(status.code());
  service.metrics.CountError(context.error_code);
  const std::string json = ErrorJson(status);
  co_await exchange.Send(code, "application/json", body.empty() ? json : body, std::move(headers));
}

void Account(Service& service, RequestContext& context, const std::string& model, const Transcript& transcript) {
  context.model = model;
  context.audio_seconds = SecondsOf(transcript.duration_ms);
  context.timings = transcript.timings;
  service.metrics.CountTranscript(model, transcript);
}

Awaitable<void> HandleModels(Service& service, HttpExchange& exchange, RequestContext& context) {
  constexpr std::string_view kPrefix = "/v1/models/";
  if (exchange.path().starts_with(kPrefix)) {
    const auto model = service.models->Find(exchange.path().substr(kPrefix.size()));
    if (!model.ok()) co_return co_await SendError(service, exchange, context, model.status());
    co_return co_await exchange.Send(200, "application/json", JsonText(ModelJson(**model)));
  }
  Json data = Json::array();
  for (const auto& model : service.models->all()) data.push_back(ModelJson(*model));
  const Json list = {{"object", "list"}, {"data", data}};
  co_await exchange.Send(200, "application/json", JsonText(list));
}

Awaitable<void> HandleStatus(Service& service, HttpExchange& exchange, RequestContext&) {
  Json models = Json::array();
  int64_t waiting = 0, running = 0;
  double waiting_seconds = 0, running_seconds = 0, limit_seconds = 0;
  for (const auto& model : service.models->all()) {
    models.push_back({{"id", model->name}, {"compute_type", Name(model->recognizer->compute_type())}});
    const Dispatcher::Load load = model->dispatcher->load();
    waiting += load.waiting;
    running += load.running;
    waiting_seconds += load.waiting_seconds;
    running_seconds += load.running_seconds;
    limit_seconds += load.queue_seconds;
  }
  const Json status = {{"queue",
                        {{"waiting", waiting},
                         {"running", running},
                         {"waiting_seconds", waiting_seconds},
                         {"running_seconds", running_seconds},
                         {"limit_seconds", limit_seconds}}},
                       {"audio_seconds_total", service.metrics.audio_seconds()},
                       {"x_real_time", service.metrics.AudioPerSecond()},
                       {"uptime_s", SecondsSince(service.started)},
                       {"draining", service.draining},
                       {"models", models}};
  co_await exchange.Send(200, "application/json", JsonText(status));
}

Awaitable<void> HandleMetrics(Service& service, HttpExchange& exchange, RequestContext&) {
  for (const auto& model : service.models->all()) {
    const Recognizer& recognizer = *model->recognizer;
    service.metrics.SetModel(model->name, std::string(Name(recognizer.compute_type())), recognizer.threads(),
                             recognizer.stats(), model->dispatcher->load());
  }
  service.metrics.SetConnections(service.connections);
  service.metrics.SetUploads(service.uploads, service.spool->bytes());
  service.metrics.SetDraining(service.draining);
  co_await exchange.Send(200, "text/plain; version=0.0.4; charset=utf-8", service.metrics.Render());
}

Awaitable<void> HandleHealth(Service& service, HttpExchange& exchange, RequestContext&) {
  Json loaded = Json::array();
  for (const auto& model : service.models->all()) loaded.push_back(model->name);
  const Json health = {{"status", "ok"}, {"device", "cpu"}, {"models_loaded", loaded}};
  co_await exchange.Send(200, "application/json", JsonText(health));
}

Awaitable<void> HandleAlive(Service&, HttpExchange& exchange, RequestContext&) {
  co_await exchange.Send(200, "application/json", kOk);
}

Awaitable<void> HandleReady(Service& service, HttpExchange& exchange, RequestContext& context) {
  if (service.draining) {
    co_return co_await SendError(service, exchange, context, Unavailable("the service is shutting down"));
  }
  for (const auto& model : service.models->all()) {
    const Dispatcher::Load load = model->dispatcher->load();
    if (load.waiting_seconds + load.running_seconds > kHighWater * load.queue_seconds) {
      co_return co_await SendError(service, exchange, context,
                                   Unavailable("{}: the queue is nearly full", model->name));
    }
  }
  co_await exchange.Send(200, "application/json", kOk);
}

Awaitable<void> HandleNoSocket(Service&, HttpExchange& exchange, RequestContext&) {
  exchange.AddHeader("Upgrade", "websocket");
  co_await exchange.Send(426, "application/json", ErrorJson(InvalidArgument("/ws is for WebSockets")));
}

Awaitable<void> HandleAsset(Service& service, HttpExchange& exchange, RequestContext& context) {
  const Asset* asset = FindAsset(exchange.path());
  if (asset == nullptr) {
    co_return co_await SendError(service, exchange, context, NotFound("there is nothing at {}", exchange.path()));
  }
  if (exchange.header("If-None-Match") == asset->etag) {
    exchange.AddHeader("ETag", std::string(asset->etag));
    co_return co_await exchange.Send(304, "", "");
  }
  // gcc 12 cannot make a list within co_await.
  HttpExchange::Headers headers = {
      {"ETag", std::string(asset->etag)},
      {"Content-Security-Policy",
       "default-src 'self'; media-src 'self' blob:; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
       "form-action 'self'; frame-ancestors 'none'"}};
  co_await exchange.Send(200, asset->content_type, asset->bytes, std::move(headers));
}

}  // namespace tutti
