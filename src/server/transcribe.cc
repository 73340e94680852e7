#include "server/transcribe.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <charconv>
#include <utility>

#include "service/api_error.h"

namespace tutti {
namespace {

// Between two looks at a connection on which more has come in, so that its end cannot be waited for.
constexpr std::chrono::milliseconds kPause{100};

}  // namespace

absl::StatusOr<std::unique_ptr<PendingTranscription>> PendingTranscription::Start(
    Service& service, const RequestContext& context, std::shared_ptr<const LoadedModel> model, Upload& upload,
    TranscribeOptions options, bool stream) {
  if (upload.file == nullptr) return FieldError("file", "the request has no audio");
  std::unique_ptr<PendingTranscription> pending(new PendingTranscription);
  pending->model_ = std::move(model);
  const auto events = std::make_shared<Mailbox<TranscriptionEvent>>(service.io.get_executor());
  pending->events_ = events;
  if (stream) {
    options.progress = [events](const Progress& progress) { events->Put(progress); };
    options.on_segment = [events](const Segment& segment) { events->Put(segment); };
  }
  Dispatcher::Work work{
      .tenant = context.tenant,
      .seconds = EstimateSeconds(upload.file->head(), upload.file->bytes()),
      .input = AudioInput::Upload(upload.file->path(), upload.name),
      .options = std::move(options),
      // The file stays until the engine has done with it.
      .on_done = [events, file = upload.file](const absl::StatusOr<Transcript>& result) { events->Put(result); }};
  TUTTI_ASSIGN_OR_RETURN(pending->ticket_, pending->model_->dispatcher->Submit(std::move(work)));
  return pending;
}

PendingTranscription::~PendingTranscription() {
  if (ticket_ != nullptr) ticket_->Cancel();
}

Awaitable<absl::StatusOr<TranscriptionEvent>> PendingTranscription::Next(Transport& transport) {
  using asio::experimental::awaitable_operators::operator||;
  while (true) {
    if (auto event = events_->TryTake()) co_return *std::move(event);
    if (!watch_client_) {
      asio::steady_timer pause(co_await asio::this_coro::executor, kPause);
      co_await (events_->Wait() || pause.async_wait(asio::use_awaitable));
      if (transport.is_open()) continue;
      co_return absl::CancelledError("the connection was closed");
    }
    bool closed = false;
    const auto first = co_await (events_->Wait() || transport.WaitForInput(closed));
    if (first.index() == 0) continue;
    if (closed) {
      ticket_->Cancel();
      co_return absl::CancelledError("the client has left");
    }
    watch_client_ = false;  // it has sent the next request already, which lies before its end
  }
}

Awaitable<absl::StatusOr<Transcript>> PendingTranscription::Result(Transport& transport) {
  while (true) {
    auto event = co_await Next(transport);
    if (!event.ok()) co_return event.status();
    if (auto* result = std::get_if<absl::StatusOr<Transcript>>(&*event)) co_return std::move(*result);
  }
}

absl::StatusOr<std::optional<std::chrono::steady_clock::time_point>> DeadlineOf(const HttpExchange& exchange) {
  const std::string_view text = exchange.header("X-Request-Timeout");
  if (text.empty()) return std::nullopt;
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || !(seconds > 0 && seconds <= 86'400)) {
    return FieldError("X-Request-Timeout", "expected seconds, more than 0 and at most 86400");
  }
  return std::chrono::steady_clock::now() +
         std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace tutti
