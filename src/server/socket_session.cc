#include "server/socket_session.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <map>
#include <utility>
#include <vector>

#include "server/live_audio.h"
#include "server/mailbox.h"
#include "server/socket_answers.h"
#include "service/fields.h"
#include "service/funasr_socket.h"
#include "service/search_request.h"
#include "service/spool.h"

namespace tutti {
namespace {

// Of work that runs at once on a connection; that of earlier sentences has ended long before.
constexpr size_t kMaxTickets = 64;

class Session {
 public:
  Session(Service& service, WebSocket& socket, RequestContext& context)
      : service_(service),
        socket_(socket),
        context_(context),
        answers_(service, socket, context),
        letters_(std::make_shared<Mailbox<SocketLetter>>(service.io.get_executor())) {}
  ~Session() {
    if (is_counted_) --service_.active;
    for (const auto& [key, ticket] : tickets_) ticket->Cancel();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Awaitable<void> Read();
  Awaitable<void> Write();

 private:
  Awaitable<absl::Status> Command(const std::string& text);
  Awaitable<absl::Status> Audio(std::string bytes);
  Awaitable<absl::Status> Live(std::string bytes, bool is_final);
  absl::Status Begin();
  absl::StatusOr<SearchOptions> SearchFor(const ModelAbilities& model) const;
  absl::Status EndRecording();
  absl::Status Submit(SocketLetter::Kind kind, int64_t sentence, AudioInput input, double seconds, bool use_vad,
                      std::shared_ptr<SpoolFile> file);
  absl::Status SubmitSentence(LiveAudio::Sentence sentence);
  absl::Status SubmitPartial();

  // A drain waits for utterances, not for connections.
  void CountUtterances();

  Service& service_;
  WebSocket& socket_;
  RequestContext& context_;
  SocketAnswers answers_;
  const std::shared_ptr<Mailbox<SocketLetter>> letters_;

  // What the client has said last, for the next utterance.
  SocketMode mode_ = SocketMode::kOffline;
  bool mode_is_given_ = false;
  std::string name_ = "wav-default-id", format_ = "pcm", model_;
  int rate_ = 16000;
  std::map<std::string, std::string> search_;  // by name

  int64_t number_ = -1;  // of the utterance whose audio comes in; it is there while is_open_
  bool is_open_ = false;
  absl::Status refused_;             // why audio is passed over until the next text frame; the client has been told
  std::shared_ptr<SpoolFile> file_;  // its audio, offline
  std::shared_ptr<LiveAudio> live_;  // else

  std::map<int64_t, std::shared_ptr<Dispatcher::Ticket>> tickets_;  // of what runs
  int64_t submitted_ = 0;

  std::vector<std::string> ends_;  // of utterances that came to nothing; to be said after their errors
  bool is_counted_ = false;        // in service_.active
};

Awaitable<void> Session::Read() {
  while (true) {
    IoError error;
    WebSocket::Message message = co_await socket_.Read(error);
    if (error) break;
    absl::Status done;
    if (message.is_text) {
      done = co_await Command(message.bytes);
    } else {
      done = co_await Audio(std::move(message.bytes));
    }
    CountUtterances();
    if (!done.ok()) {
      context_.error_code = absl::StatusCodeToString(done.code());
      co_await answers_.Say(RenderSocketError(mode_, name_, done));
    }
    for (std::string& end : std::exchange(ends_, {})) co_await answers_.Say(std::move(end));
  }
}

void Session::CountUtterances() {
  if (is_counted_ == !answers_.empty()) return;
  is_counted_ = !is_counted_;
  service_.active += is_counted_ ? 1 : -1;
}

Awaitable<void> Session::Write() {
  while (true) {
    while (auto letter = letters_->TryTake()) co_await answers_.Answer(*std::move(letter));
    CountUtterances();
    co_await letters_->Wait();
  }
}

Awaitable<absl::Status> Session::Command(const std::string& text) {
  const auto command = ParseSocketCommand(text);
  if (!command.ok()) co_return command.status();
  if (command->mode && !is_open_) {
    mode_ = *command->mode;
    mode_is_given_ = true;
  } else if (command->is_live && !mode_is_given_ && !is_open_) {
    mode_ = SocketMode::kTwoPass;
  }
  if (command->wav_name) name_ = *command->wav_name;
  if (command->wav_format) format_ = *command->wav_format;
  if (command->audio_fs) rate_ = *command->audio_fs;
  if (command->model) model_ = *command->model;
  for (const auto& [name, value] : command->search) search_[name] = value;
  const absl::Status refused = std::exchange(refused_, absl::OkStatus());
  if (command->is_speaking.value_or(true)) co_return absl::OkStatus();
  absl::Status ended = refused;
  if (ended.ok() && !is_open_) ended = Begin();
  if (!is_open_) {
    if (command->is_end) ends_.push_back(RenderSocketEnd(mode_, name_, ended));
    if (!refused.ok()) co_return absl::OkStatus();  // has been told
    co_return ended;
  }
  if (live_ != nullptr) {
    ended = co_await Live("", true);
    live_ = nullptr;
  } else {
    ended = EndRecording();
    file_ = nullptr;
  }
  is_open_ = false;
  if (!ended.ok()) {
    answers_.Drop(number_);
    if (command->is_end) ends_.push_back(RenderSocketEnd(mode_, name_, ended));
  } else {
    SocketUtterance& utterance = answers_.utterance(number_);
    utterance.is_closed = true;
    utterance.wants_end = command->is_end;
    letters_->Put({.kind = SocketLetter::Kind::kEnd, .utterance = number_});
  }
  co_return ended;
}

absl::StatusOr<SearchOptions> Session::SearchFor(const ModelAbilities& model) const {
  SearchOptions options;
  Fields fields;
  for (const auto& [name, value] : search_) {
    // FunASR's clients send hotwords and svs_lang to whatever model there is.
    if (model.takes_search_options || name == "task") TUTTI_RETURN_IF_ERROR(fields.Add(name, value));
  }
  TUTTI_RETURN_IF_ERROR(ReadSearchOptions(fields, model, options));
  return options;
}

absl::Status Session::Begin() {
  if (service_.draining) return Unavailable("the service is shutting down");
  TUTTI_ASSIGN_OR_RETURN(const auto model, service_.models->Find(model_));
  TUTTI_ASSIGN_OR_RETURN(SearchOptions search, SearchFor(AbilitiesOf(*model->recognizer)));
  if (mode_ == SocketMode::kOffline) {
    TUTTI_ASSIGN_OR_RETURN(file_, service_.spool->NewFile());
  } else {
    if (format_ != "pcm") return InvalidArgument("wav_format: '{}', expected pcm for live audio", format_);
    auto vad = model->recognizer->OpenStream(model->recognizer->default_vad_options());
    if (!vad.ok() && !absl::IsFailedPrecondition(vad.status())) return vad.status();
    TUTTI_ASSIGN_OR_RETURN(LiveAudio live, LiveAudio::Create(vad.ok() ? *std::move(vad) : nullptr, rate_));
    live_ = std::make_shared<LiveAudio>(std::move(live));
  }
  ++number_;
  answers_.Add(number_, {.mode = mode_, .name = name_, .model = model, .search = std::move(search)});
  is_open_ = true;
  return absl::OkStatus();
}

Awaitable<absl::Status> Session::Audio(std::string bytes) {
  if (!refused_.ok()) co_return absl::OkStatus();
  if (!is_open_) {
    refused_ = Begin();
    if (!refused_.ok()) co_return refused_;
  }
  if (live_ != nullptr) co_return co_await Live(std::move(bytes), false);
  if (file_->bytes() + std::ssize(bytes) > service_.http.max_body_bytes) {
    refused_ = absl::OutOfRangeError(fmt::format("the recording has more than {} bytes", service_.http.max_body_bytes));
  } else {
    refused_ = file_->Append(bytes);
  }
  if (refused_.ok()) co_return absl::OkStatus();
  // With a piece missing it is another recording.
  is_open_ = false;
  file_ = nullptr;
  answers_.Drop(number_);
  co_return refused_;
}

Awaitable<absl::Status> Session::Live(std::string bytes, bool is_final) {
  // gcc 12 destroys a lambda twice that is made within co_await.
  auto accept = [live = live_, bytes = std::move(bytes), is_final] { return live->Accept(bytes, is_final); };
  auto sentences = co_await RunBlocking(service_, std::move(accept));
  absl::Status status;
  for (LiveAudio::Sentence& sentence : sentences) {
    if (const absl::Status submitted = SubmitSentence(std::move(sentence)); !submitted.ok()) status = submitted;
  }
  if (!is_final && status.ok()) status = SubmitPartial();
  co_return status;
}

absl::Status Session::EndRecording() {
  file_->Close();
  const double seconds = format_ == "pcm" ? static_cast<double>(file_->bytes()) / (2.0 * rate_)
                                          : EstimateSeconds(file_->head(), file_->bytes());
  return Submit(SocketLetter::Kind::kRecording, 0,
                AudioInput::Upload(file_->path(), fmt::format("{}.{}", name_, format_)), seconds, true, file_);
}

absl::Status Session::SubmitSentence(LiveAudio::Sentence sentence) {
  SocketUtterance& utterance = answers_.utterance(number_);
  const int64_t index = utterance.sentences++;
  utterance.next_partial_ms = SocketUtterance::kFirstPartialMs;
  utterance.partial_runs = false;
  const double seconds = static_cast<double>(sentence.samples.size()) / 16'000;
  AudioInput input = AudioInput::Samples(std::move(sentence.samples), 16'000, 1, utterance.name);
  sentence.samples.clear();
  utterance.open[index] = std::move(sentence);
  absl::Status submitted = Submit(SocketLetter::Kind::kSentence, index, std::move(input), seconds, false, nullptr);
  // The others are still answered in their order.
  if (!submitted.ok()) letters_->Put({SocketLetter::Kind::kSentence, number_, index, submitted});
  return absl::OkStatus();
}

absl::Status Session::SubmitPartial() {
  SocketUtterance& utterance = answers_.utterance(number_);
  if (utterance.partial_runs || live_->open_ms() < utterance.next_partial_ms) return absl::OkStatus();
  utterance.next_partial_ms = 2 * live_->open_ms();
  auto open = live_->open();
  const double seconds = static_cast<double>(open->samples.size()) / 16'000;
  utterance.partial_runs = true;
  const absl::Status submitted =
      Submit(SocketLetter::Kind::kPartial, utterance.sentences,
             AudioInput::Samples(std::move(open->samples), 16'000, 1, utterance.name), seconds, false, nullptr);
  if (!submitted.ok()) utterance.partial_runs = false;  // a full queue: the sentence itself may find it emptier
  return absl::OkStatus();
}

absl::Status Session::Submit(SocketLetter::Kind kind, int64_t sentence, AudioInput input, double seconds, bool use_vad,
                             std::shared_ptr<SpoolFile> file) {
  const SocketUtterance& utterance = answers_.utterance(number_);
  TranscribeOptions options = InteractiveOptions(service_.bounds());
  options.use_vad = use_vad;
  options.search = utterance.search;
  if (kind == SocketLetter::Kind::kRecording && format_ == "pcm") options.raw_format = fmt::format("s16le:{}:1", rate_);
  const int64_t id = submitted_++;
  auto on_done = [letters = letters_, kind, number = number_, sentence,
                  file = std::move(file)](const absl::StatusOr<Transcript>& result) {
    letters->Put({kind, number, sentence, result});
  };
  TUTTI_ASSIGN_OR_RETURN(tickets_[id], utterance.model->dispatcher->Submit({.tenant = context_.tenant,
                                                                            .seconds = std::max(seconds, 0.01),
                                                                            .input = std::move(input),
                                                                            .options = std::move(options),
                                                                            .on_done = std::move(on_done)}));
  while (tickets_.size() > kMaxTickets) tickets_.erase(tickets_.begin());
  return absl::OkStatus();
}

}  // namespace

Awaitable<void> ServeSocket(Service& service, WebSocket& socket, RequestContext& context) {
  using asio::experimental::awaitable_operators::operator||;
  Session session(service, socket, context);
  co_await (session.Read() || session.Write());
}

}  // namespace tutti
