#pragma once

#include "server/service.h"

namespace tutti {

// The handlers of the routes (docs/http.md). Each answers the exchange in every case.
using Handler = Awaitable<void> (*)(Service&, HttpExchange&, RequestContext&);

Awaitable<void> HandleOpenAiTranscription(Service& service, HttpExchange& exchange, RequestContext& context);
Awaitable<void> HandleOpenAiTranslation(Service& service, HttpExchange& exchange, RequestContext& context);
Awaitable<void> HandleModels(Service& service, HttpExchange& exchange, RequestContext& context);

Awaitable<void> HandleTranscribe(Service& service, HttpExchange& exchange, RequestContext& context);

Awaitable<void> HandleNewJob(Service& service, HttpExchange& exchange, RequestContext& context);
Awaitable<void> HandleJobs(Service& service, HttpExchange& exchange, RequestContext& context);
Awaitable<void> HandleJob(Service& service, HttpExchange& exchange, RequestContext& context);
Awaitable<void> HandleCancelJob(Service& service, HttpExchange& exchange, RequestContext& context);

Awaitable<void> HandleRecognition(Service& service, HttpExchange& exchange, RequestContext& context);
Awaitable<void> HandleAsr(Service& service, HttpExchange& exchange, RequestContext& context);

Awaitable<void> HandleStatus(Service& service, HttpExchange& exchange, RequestContext& context);
Awaitable<void> HandleMetrics(Service& service, HttpExchange& exchange, RequestContext& context);
Awaitable<void> HandleHealth(Service& service, HttpExchange& exchange, RequestContext& context);  // FunASR's /health
Awaitable<void> HandleAlive(Service& service, HttpExchange& exchange, RequestContext& context);
Awaitable<void> HandleReady(Service& service, HttpExchange& exchange, RequestContext& context);
Awaitable<void> HandleNoSocket(Service& service, HttpExchange& exchange, RequestContext& context);  // 426
Awaitable<void> HandleAsset(Service& service, HttpExchange& exchange, RequestContext& context);

// An error in OpenAI's shape or as `body` has it, with Retry-After where there is a time to tell.
Awaitable<void> SendError(Service& service, HttpExchange& exchange, RequestContext& context, const absl::Status& status,
                          std::string_view body = {});
// What the log and the metrics have to know of a finished transcription.
void Account(Service& service, RequestContext& context, const std::string& model, const Transcript& transcript);

}  // namespace tutti
