#include <utility>

#include "pipeline/text_join.h"
#include "server/handlers.h"
#include "server/transcribe.h"
#include "service/api_error.h"
#include "service/openai.h"

namespace tutti {
namespace {

// Server-sent events: the text as it grows, then all of it. An error after the first event is one, too.
Awaitable<void> StreamDeltas(Service& service, HttpExchange& exchange, RequestContext& context,
                             PendingTranscription& pending, const std::string& model) {
  exchange.AddHeader("X-Accel-Buffering", "no");  // nginx would hold events back
  co_await exchange.Begin(200, "text/event-stream; charset=utf-8");
  std::string text;
  while (true) {
    auto event = co_await pending.Next(exchange.transport());
    if (!event.ok()) co_return;  // the client has left
    if (const auto* segment = std::get_if<Segment>(&*event)) {
      const size_t before = text.size();
      AppendText(segment->text, text);
      if (text.size() > before) co_await exchange.Write(OpenAiDelta(std::string_view(text).substr(before)));
    } else if (const auto* result = std::get_if<absl::StatusOr<Transcript>>(&*event)) {
      if (result->ok()) {
        Account(service, context, model, **result);
        co_await exchange.Write(OpenAiDone(**result));
        co_await exchange.Write("data: [DONE]\n\n");
      } else {
        context.error_code = absl::StatusCodeToString(result->status().code());
        co_await exchange.Write(fmt::format("event: error\ndata: {}\n\n", ErrorJson(result->status())));
      }
      co_return co_await exchange.End();
    }
  }
}

Awaitable<void> AnswerOpenAi(Service& service, HttpExchange& exchange, RequestContext& context, Task task) {
  auto upload = co_await ReceiveUpload(service, exchange);
  if (!upload.ok()) co_return co_await SendError(service, exchange, context, upload.status());
  const auto request = ReadOpenAiFields(upload->fields, task);
  if (!request.ok()) co_return co_await SendError(service, exchange, context, request.status());
  const auto model = service.models->Find(request->model);
  if (!model.ok()) co_return co_await SendError(service, exchange, context, model.status());
  TranscribeOptions options = InteractiveOptions(service.bounds());
  const auto search = SearchOptionsOf(*request, (*model)->name, AbilitiesOf(*(*model)->recognizer));
  if (!search.ok()) co_return co_await SendError(service, exchange, context, search.status());
  options.search = *search;
  const auto deadline = DeadlineOf(exchange);
  if (!deadline.ok()) co_return co_await SendError(service, exchange, context, deadline.status());
  options.deadline = *deadline;
  auto pending = PendingTranscription::Start(service, context, *model, *upload, std::move(options), request->stream);
  if (!pending.ok()) co_return co_await SendError(service, exchange, context, pending.status());
  if (request->stream) co_return co_await StreamDeltas(service, exchange, context, **pending, (*model)->name);
  const auto result = co_await (*pending)->Result(exchange.transport());
  if (!result.ok()) co_return co_await SendError(service, exchange, context, result.status());
  Account(service, context, (*model)->name, *result);
  const Rendered rendered = RenderOpenAi(*result, *request);
  co_await exchange.Send(200, rendered.content_type, rendered.body);
}

}  // namespace

Awaitable<void> HandleOpenAiTranscription(Service& service, HttpExchange& exchange, RequestContext& context) {
  return AnswerOpenAi(service, exchange, context, Task::kTranscribe);
}

Awaitable<void> HandleOpenAiTranslation(Service& service, HttpExchange& exchange, RequestContext& context) {
  return AnswerOpenAi(service, exchange, context, Task::kTranslate);
}

}  // namespace tutti
