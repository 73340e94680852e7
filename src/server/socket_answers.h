#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "server/live_audio.h"
#include "server/service.h"
#include "server/web_socket.h"
#include "service/funasr_socket.h"

namespace tutti {

// What a recognition had to say.
struct SocketLetter {
  enum class Kind { kRecording, kPartial, kSentence, kEnd };
  Kind kind = Kind::kEnd;
  int64_t utterance = 0;  // on this connection
  int64_t sentence = 0;   // within the utterance
  absl::StatusOr<Transcript> result = absl::UnknownError("none");
};

// An utterance of a connection from its first frame until its last answer.
struct SocketUtterance {
  static constexpr int64_t kFirstPartialMs = 600;

  SocketMode mode = SocketMode::kOffline;
  std::string name;
  std::shared_ptr<const LoadedModel> model;
  SearchOptions search;
  std::map<int64_t, LiveAudio::Sentence> open = {};  // sentences that are being recognised; without their samples
  std::map<int64_t, absl::StatusOr<Transcript>> early = {};  // results that wait for those before them
  std::map<int64_t, StableText> partial = {};
  int64_t sentences = 0;                      // that were submitted
  int64_t next = 0;                           // to be answered
  int64_t next_partial_ms = kFirstPartialMs;  // so long the open sentence is before it is recognised again
  bool partial_runs = false;                  // that recognition
  bool is_closed = false;                     // no more audio will come
  bool wants_end = false;                     // the client waits for a frame that says that this was all
  absl::Status failed = absl::OkStatus();     // the first answer that was an error
};

// What a connection that speaks FunASR's protocol says: the answers to its utterances, each utterance's in their order,
// and one frame at a time whoever has something to say. For the service's thread only.
class SocketAnswers {
 public:
  // All outlive it.
  SocketAnswers(Service& service, WebSocket& socket, RequestContext& context)
      : service_(service), socket_(socket), context_(context) {}
  SocketAnswers(const SocketAnswers&) = delete;
  SocketAnswers& operator=(const SocketAnswers&) = delete;

  void Add(int64_t number, SocketUtterance utterance) { utterances_[number] = std::move(utterance); }
  // It is there from Add until its last answer, or Drop.
  SocketUtterance& utterance(int64_t number) { return utterances_.at(number); }
  void Drop(int64_t number) { utterances_.erase(number); }
  bool empty() const { return utterances_.empty(); }

  // Says what the letter has made ready. One of an utterance that is not there says nothing.
  Awaitable<void> Answer(SocketLetter letter);
  Awaitable<void> Say(std::string text);

 private:
  Awaitable<void> AnswerSentences(int64_t number);
  // Its last answer; it is gone after that.
  Awaitable<void> SayLast(int64_t number, std::string answer);

  Service& service_;
  WebSocket& socket_;
  RequestContext& context_;
  std::map<int64_t, SocketUtterance> utterances_;  // by number, until they are answered
  std::deque<std::string> outbox_;                 // the front is being written
};

}  // namespace tutti
