#include "server/socket_session.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "server/handlers.h"
#include "server/live_audio.h"
#include "server/mailbox.h"
#include "service/fields.h"
#include "service/funasr_socket.h"
#include "service/search_request.h"
#include "service/spool.h"

namespace tutti {
namespace {

constexpr int64_t kFirstPartialMs = 600;
// Of work that runs at once on a connection; that of earlier sentences has ended long before.
constexpr size_t kMaxTickets = 64;

// What a recognition had to say.
struct Letter {
  enum class Kind { kRecording, kPartial, kSentence, kEnd };
  Kind kind = Kind::kEnd;
  int64_t utterance = 0;  // on this connection
  int64_t sentence = 0;   // within the utterance
  absl::StatusOr<Transcript> result = absl::UnknownError("none");
};

// An utterance of a connection from its first frame until its last answer.
struct Utterance {
  SocketMode mode = SocketMode::kOffline;
  std::string name;
  std::shared_ptr<const LoadedModel> model;
  SearchOptions search;
  std::map<int64_t, LiveAudio::Sentence> open;          // sentences that are being recognised; without their samples
  std::map<int64_t, absl::StatusOr<Transcript>> early;  // results that wait for those before them
  std::map<int64_t, StableText> partial;
  int64_t sentences = 0;                   // that were submitted
  int64_t next = 0;                        // to be answered
  bool is_closed = false;                  // no more audio will come
  bool wants_end = false;                  // the client waits for a frame that says that this was all
  absl::Status failed = absl::OkStatus();  // the first answer that was an error
};

class Session {
 public:
  Session(Service& service, WebSocket& socket, RequestContext& context)
      : service_(service),
        socket_(socket),
        context_(context),
        letters_(std::make_shared<Mailbox<Letter>>(service.io.get_executor())) {}
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
  absl::Status Submit(Letter::Kind kind, int64_t sentence, AudioInput input, double seconds, bool use_vad,
                      std::shared_ptr<SpoolFile> file);
  absl::Status SubmitSentence(LiveAudio::Sentence sentence);
  absl::Status SubmitPartial();

  Awaitable<void> Answer(Letter letter);
  Awaitable<void> AnswerSentences(int64_t number);
  // Its last answer; it is gone after that.
  Awaitable<void> SayLast(int64_t number, std::string answer);
  Awaitable<void> Say(std::string text);
  // A drain waits for utterances, not for connections.
  void CountUtterances();

  Service& service_;
  WebSocket& socket_;
  RequestContext& context_;
  const std::shared_ptr<Mailbox<Letter>> letters_;

  // What the client has said last, for the next utterance.
  SocketMode mode_ = SocketMode::kOffline;
  bool mode_is_given_ = false;
  std::string name_ = "wav-default-id", format_ = "pcm", model_;
  int rate_ = 16000;
  std::map<std::string, std::string> search_;  // by name

  std::map<int64_t, Utterance> utterances_;  // by number, until they are answered
  int64_t number_ = -1;                      // of the one whose audio comes in; its entry exists while is_open_
  bool is_open_ = false;
  absl::Status refused_;             // why audio is passed over until the next text frame; the client has been told
  std::shared_ptr<SpoolFile> file_;  // its audio, offline
  std::shared_ptr<LiveAudio> live_;  // else
  int64_t next_partial_ms_ = kFirstPartialMs;
  bool partial_runs_ = false;

  std::map<int64_t, std::shared_ptr<Dispatcher::Ticket>> tickets_;  // of what runs
  int64_t submitted_ = 0;

  std::vector<std::string> ends_;   // of utterances that came to nothing; to be said after their errors
  bool is_counted_ = false;         // in service_.active
  std::deque<std::string> outbox_;  // the front is being written
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
      co_await Say(RenderSocketError(mode_, name_, done));
    }
    for (std::string& end : std::exchange(ends_, {})) co_await Say(std::move(end));
  }
}

void Session::CountUtterances() {
  if (is_counted_ == !utterances_.empty()) return;
  is_counted_ = !is_counted_;
  service_.active += is_counted_ ? 1 : -1;
}

Awaitable<void> Session::Write() {
  while (true) {
    while (auto letter = letters_->TryTake()) co_await Answer(*std::move(letter));
    CountUtterances();
    co_await letters_->Wait();
  }
}

Awaitable<void> Session::Say(std::string text) {
  // One writer at a time: the reader's errors and the writer's answers take turns.
  outbox_.push_back(std::move(text));
  if (outbox_.size() > 1) co_return;
  while (!outbox_.empty()) {
    co_await socket_.WriteText(outbox_.front());
    outbox_.pop_front();
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
    utterances_.erase(number_);
    if (command->is_end) ends_.push_back(RenderSocketEnd(mode_, name_, ended));
  } else {
    Utterance& utterance = utterances_[number_];
    utterance.is_closed = true;
    utterance.wants_end = command->is_end;
    letters_->Put({.kind = Letter::Kind::kEnd, .utterance = number_});
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
  utterances_[number_] = {.mode = mode_,
                          .name = name_,
                          .model = model,
                          .search = std::move(search),
                          .open = {},
                          .early = {},
                          .partial = {}};
  is_open_ = true;
  next_partial_ms_ = kFirstPartialMs;
  partial_runs_ = false;
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
  utterances_.erase(number_);
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
  return Submit(Letter::Kind::kRecording, 0, AudioInput::Upload(file_->path(), fmt::format("{}.{}", name_, format_)),
                seconds, true, file_);
}

absl::Status Session::SubmitSentence(LiveAudio::Sentence sentence) {
  Utterance& utterance = utterances_[number_];
  const int64_t index = utterance.sentences++;
  next_partial_ms_ = kFirstPartialMs;
  partial_runs_ = false;
  const double seconds = static_cast<double>(sentence.samples.size()) / 16'000;
  AudioInput input = AudioInput::Samples(std::move(sentence.samples), 16'000, 1, utterance.name);
  sentence.samples.clear();
  utterance.open[index] = std::move(sentence);
  absl::Status submitted = Submit(Letter::Kind::kSentence, index, std::move(input), seconds, false, nullptr);
  // The others are still answered in their order.
  if (!submitted.ok()) letters_->Put({Letter::Kind::kSentence, number_, index, submitted});
  return absl::OkStatus();
}

absl::Status Session::SubmitPartial() {
  if (partial_runs_ || live_->open_ms() < next_partial_ms_) return absl::OkStatus();
  next_partial_ms_ = 2 * live_->open_ms();
  auto open = live_->open();
  const double seconds = static_cast<double>(open->samples.size()) / 16'000;
  Utterance& utterance = utterances_[number_];
  partial_runs_ = true;
  const absl::Status submitted =
      Submit(Letter::Kind::kPartial, utterance.sentences,
             AudioInput::Samples(std::move(open->samples), 16'000, 1, utterance.name), seconds, false, nullptr);
  if (!submitted.ok()) partial_runs_ = false;  // a full queue: the sentence itself may find it emptier
  return absl::OkStatus();
}

absl::Status Session::Submit(Letter::Kind kind, int64_t sentence, AudioInput input, double seconds, bool use_vad,
                             std::shared_ptr<SpoolFile> file) {
  const Utterance& utterance = utterances_[number_];
  TranscribeOptions options = InteractiveOptions(service_.bounds());
  options.use_vad = use_vad;
  options.search = utterance.search;
  if (kind == Letter::Kind::kRecording && format_ == "pcm") options.raw_format = fmt::format("s16le:{}:1", rate_);
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

Awaitable<void> Session::Answer(Letter letter) {
  const auto found = utterances_.find(letter.utterance);
  if (found == utterances_.end()) co_return;
  Utterance& utterance = found->second;
  switch (letter.kind) {
    case Letter::Kind::kRecording: {
      std::string answer = letter.result.ok()
                               ? RenderSocketResult(utterance.name, *letter.result)
                               : RenderSocketError(utterance.mode, utterance.name, letter.result.status());
      if (letter.result.ok()) Account(service_, context_, utterance.model->name, *letter.result);
      utterance.failed = letter.result.status();
      co_return co_await SayLast(letter.utterance, std::move(answer));
    }
    case Letter::Kind::kPartial: {
      if (letter.utterance == number_ && letter.sentence == utterance.sentences) partial_runs_ = false;
      // The sentence has ended meanwhile.
      if (letter.sentence < utterance.sentences || !letter.result.ok()) co_return;
      std::string certain = utterance.partial[letter.sentence].Update(letter.result->text);
      if (certain.empty()) co_return;
      co_return co_await Say(RenderSocketPartial(utterance.mode, utterance.name, certain));
    }
    case Letter::Kind::kSentence:
      utterance.early.emplace(letter.sentence, std::move(letter.result));
      co_return co_await AnswerSentences(letter.utterance);
    case Letter::Kind::kEnd: {
      if (utterance.mode == SocketMode::kOffline) co_return;  // its recording answers
      const bool nothing_was_said = utterance.sentences == 0;
      if (!nothing_was_said && utterance.next < utterance.sentences) co_return;
      std::string answer = RenderSocketSentence(utterance.mode, utterance.name, {}, "", true);
      co_return co_await SayLast(letter.utterance, std::move(answer));
    }
  }
}

Awaitable<void> Session::SayLast(int64_t number, std::string answer) {
  const Utterance last = std::move(utterances_.extract(number).mapped());
  co_await Say(std::move(answer));
  if (!last.wants_end) co_return;
  std::string end = RenderSocketEnd(last.mode, last.name, last.failed);
  co_await Say(std::move(end));
}

Awaitable<void> Session::AnswerSentences(int64_t number) {
  while (true) {
    // While an answer left, more can have happened.
    const auto found = utterances_.find(number);
    if (found == utterances_.end()) co_return;
    Utterance& utterance = found->second;
    const auto ready = utterance.early.find(utterance.next);
    if (ready == utterance.early.end()) co_return;
    const absl::StatusOr<Transcript> result = std::move(ready->second);
    utterance.early.erase(ready);
    const int64_t index = utterance.next++;
    const LiveAudio::Sentence place = std::move(utterance.open[index]);
    utterance.open.erase(index);
    const StableText told = std::move(utterance.partial[index]);
    utterance.partial.erase(index);
    const bool is_last = utterance.is_closed && utterance.next == utterance.sentences;
    std::string answer;
    if (!result.ok()) {
      answer = RenderSocketError(utterance.mode, utterance.name, result.status());
      utterance.failed.Update(result.status());
    } else {
      Account(service_, context_, utterance.model->name, *result);
      Segment segment{place.start_ms, place.end_ms, 0, result->text, {}};
      segment.language = result->language;
      for (const Segment& part : result->segments) {
        for (Token token : part.tokens) {
          if (token.start_ms) *token.start_ms += place.start_ms;
          if (token.end_ms) *token.end_ms += place.start_ms;
          segment.tokens.push_back(std::move(token));
        }
      }
      const std::string text = utterance.mode == SocketMode::kOnline ? told.Finish(result->text) : result->text;
      answer = RenderSocketSentence(utterance.mode, utterance.name, segment, text, is_last);
    }
    if (is_last) co_return co_await SayLast(number, std::move(answer));
    co_await Say(std::move(answer));
  }
}

}  // namespace

Awaitable<void> ServeSocket(Service& service, WebSocket& socket, RequestContext& context) {
  using asio::experimental::awaitable_operators::operator||;
  Session session(service, socket, context);
  co_await (session.Read() || session.Write());
}

}  // namespace tutti
