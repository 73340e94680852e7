#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "server/mailbox.h"
#include "server/service.h"
#include "server/upload.h"

namespace tutti {

// What happens to a transcription: its progress, its segments as they come, its end.
using TranscriptionEvent = std::variant<Progress, Segment, absl::StatusOr<Transcript>>;

// A transcription that a request waits for: cancelled when the client leaves, or with this object. For the service's
// thread only.
class PendingTranscription {
 public:
  // Hands the upload to the model's dispatcher; `stream` asks for segments and progress, else there is only the end.
  // Errors are those of Dispatcher::Submit and of the request's fields.
  static absl::StatusOr<std::unique_ptr<PendingTranscription>> Start(Service& service, const RequestContext& context,
                                                                     std::shared_ptr<const LoadedModel> model,
                                                                     Upload& upload, TranscribeOptions options,
                                                                     bool stream);
  ~PendingTranscription();
  PendingTranscription(const PendingTranscription&) = delete;
  PendingTranscription& operator=(const PendingTranscription&) = delete;

  // The next event. Cancelled when the client has left.
  Awaitable<absl::StatusOr<TranscriptionEvent>> Next(Transport& transport);
  // The end.
  Awaitable<absl::StatusOr<Transcript>> Result(Transport& transport);

 private:
  PendingTranscription() = default;

  std::shared_ptr<const LoadedModel> model_;
  std::shared_ptr<Mailbox<TranscriptionEvent>> events_;
  std::shared_ptr<Dispatcher::Ticket> ticket_;
  bool watch_client_ = true;
};

// The deadline that X-Request-Timeout asks for, in seconds; none without it. FieldError when it is no number.
absl::StatusOr<std::optional<std::chrono::steady_clock::time_point>> DeadlineOf(const HttpExchange& exchange);

}  // namespace tutti
