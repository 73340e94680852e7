#include <utility>

#include "pipeline/formats.h"
#include "server/handlers.h"
#include "server/transcribe.h"
#include "service/api_error.h"
#include "service/funasr_http.h"
#include "service/search_request.h"
#include "service/transcribe_events.h"

namespace tutti {
namespace {

constexpr std::pair<std::string_view, Format> kFormats[] = {
    {"json", Format::kJson}, {"txt", Format::kTxt}, {"srt", Format::kSrt}, {"vtt", Format::kVtt}, {"tsv", Format::kTsv},
};

std::string_view ContentTypeOf(Format format) {
  switch (format) {
    case Format::kSrt:
      return "application/x-subrip; charset=utf-8";
    case Format::kVtt:
      return "text/vtt; charset=utf-8";
    case Format::kTxt:
    case Format::kTsv:
      return "text/plain; charset=utf-8";
    default:
      return "application/json";
  }
}

// Server-sent events: progress, each segment, and the whole or an error at the end.
Awaitable<void> StreamSegments(Service& service, HttpExchange& exchange, RequestContext& context,
                               PendingTranscription& pending, const std::string& model) {
  exchange.AddHeader("X-Accel-Buffering", "no");  // nginx would hold events back
  co_await exchange.Begin(200, "text/event-stream; charset=utf-8");
  while (true) {
    auto event = co_await pending.Next(exchange.transport());
    if (!event.ok()) co_return;  // the client has left
    if (const auto* progress = std::get_if<Progress>(&*event)) {
      co_await exchange.Write(ProgressEvent(*progress));
    } else if (const auto* segment = std::get_if<Segment>(&*event)) {
      co_await exchange.Write(SegmentEvent(*segment));
    } else if (const auto* result = std::get_if<absl::StatusOr<Transcript>>(&*event)) {
      if (result->ok()) {
        Account(service, context, model, **result);
      } else {
        context.error_code = absl::StatusCodeToString(result->status().code());
      }
      co_await exchange.Write(EndEvent(*result));
      co_return co_await exchange.End();
    }
  }
}

struct Accepted {
  std::shared_ptr<const LoadedModel> model;
  Format format = Format::kJson;
  bool stream = false;
  std::unique_ptr<PendingTranscription> pending;
};

absl::StatusOr<Accepted> Accept(Service& service, const HttpExchange& exchange, const RequestContext& context,
                                Upload& upload) {
  Accepted accepted;
  const Fields& fields = upload.fields;
  TUTTI_ASSIGN_OR_RETURN(accepted.model, service.models->Find(fields.Text("model")));
  const ModelAbilities abilities = AbilitiesOf(*accepted.model->recognizer);
  TUTTI_ASSIGN_OR_RETURN(TranscribeOptions options, ReadTranscribeOptions(fields, abilities, service.bounds()));
  std::vector<std::string> names;
  for (const auto& [name, format] : kFormats) names.emplace_back(name);
  TUTTI_ASSIGN_OR_RETURN(const std::string format, fields.Choice("format", names));
  for (const auto& [name, known] : kFormats) {
    if (name == format) accepted.format = known;
  }
  AskForTimes(accepted.format, abilities.takes_search_options, options.search);
  TUTTI_ASSIGN_OR_RETURN(accepted.stream, fields.Bool("stream", false));
  for (const char* known : {"name", "url"}) fields.Has(known);
  TUTTI_RETURN_IF_ERROR(fields.RefuseUnknown());
  TUTTI_ASSIGN_OR_RETURN(options.deadline, DeadlineOf(exchange));
  TUTTI_ASSIGN_OR_RETURN(accepted.pending, PendingTranscription::Start(service, context, accepted.model, upload,
                                                                       std::move(options), accepted.stream));
  return accepted;
}

// What FunASR's own services accept: the fields of the search, for models that have one; whatever else the form holds
// is for features that are elsewhere.
Awaitable<absl::StatusOr<Transcript>> TranscribePlainly(Service& service, HttpExchange& exchange,
                                                        RequestContext& context, Upload& upload,
                                                        const std::string& name) {
  const auto model = service.models->Find(name);
  if (!model.ok()) co_return model.status();
  TranscribeOptions options = InteractiveOptions(service.bounds());
  const ModelAbilities abilities = AbilitiesOf(*(*model)->recognizer);
  if (abilities.takes_search_options) {
    const absl::Status read = ReadSearchOptions(upload.fields, abilities, options.search);
    if (!read.ok()) co_return read;
  }
  auto pending = PendingTranscription::Start(service, context, *model, upload, std::move(options), false);
  if (!pending.ok()) co_return pending.status();
  auto result = co_await (*pending)->Result(exchange.transport());
  if (result.ok()) Account(service, context, (*model)->name, *result);
  co_return result;
}

}  // namespace

Awaitable<void> HandleTranscribe(Service& service, HttpExchange& exchange, RequestContext& context) {
  auto upload = co_await ReceiveUpload(service, exchange);
  if (!upload.ok()) co_return co_await SendError(service, exchange, context, upload.status());
  auto accepted = Accept(service, exchange, context, *upload);
  if (!accepted.ok()) co_return co_await SendError(service, exchange, context, accepted.status());
  if (accepted->stream) {
    co_return co_await StreamSegments(service, exchange, context, *accepted->pending, accepted->model->name);
  }
  const auto result = co_await accepted->pending->Result(exchange.transport());
  if (!result.ok()) co_return co_await SendError(service, exchange, context, result.status());
  Account(service, context, accepted->model->name, *result);
  co_await exchange.Send(200, ContentTypeOf(accepted->format), Render(*result, accepted->format));
}

Awaitable<void> HandleRecognition(Service& service, HttpExchange& exchange, RequestContext& context) {
  auto upload = co_await ReceiveUpload(service, exchange);
  absl::StatusOr<Transcript> result = absl::UnknownError("not begun");
  if (upload.ok()) {
    const std::string first_model;
    result = co_await TranscribePlainly(service, exchange, context, *upload, first_model);
  } else {
    result = upload.status();
  }
  if (!result.ok()) {
    const std::string error = RenderRecognitionError(result.status());
    co_return co_await SendError(service, exchange, context, result.status(), error);
  }
  co_await exchange.Send(200, "application/json", RenderRecognition(*result));
}

Awaitable<void> HandleAsr(Service& service, HttpExchange& exchange, RequestContext& context) {
  auto upload = co_await ReceiveUpload(service, exchange);
  if (!upload.ok()) co_return co_await SendError(service, exchange, context, upload.status());
  const std::string name = upload->fields.Text("model");
  const auto result = co_await TranscribePlainly(service, exchange, context, *upload, name);
  if (!result.ok()) co_return co_await SendError(service, exchange, context, result.status());
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - context.began;
  const std::string language = result->language.empty() ? upload->fields.Text("language") : result->language;
  co_await exchange.Send(200, "application/json", RenderAsr(*result, spent.count(), language));
}

}  // namespace tutti
