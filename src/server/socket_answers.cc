#include "server/socket_answers.h"

#include <utility>

#include "server/handlers.h"

namespace tutti {

Awaitable<void> SocketAnswers::Answer(SocketLetter letter) {
  const auto found = utterances_.find(letter.utterance);
  if (found == utterances_.end()) co_return;
  SocketUtterance& utterance = found->second;
  switch (letter.kind) {
    case SocketLetter::Kind::kRecording: {
      std::string answer = letter.result.ok()
                               ? RenderSocketResult(utterance.name, *letter.result)
                               : RenderSocketError(utterance.mode, utterance.name, letter.result.status());
      if (letter.result.ok()) Account(service_, context_, utterance.model->name, *letter.result);
      utterance.failed = letter.result.status();
      co_return co_await SayLast(letter.utterance, std::move(answer));
    }
    case SocketLetter::Kind::kPartial: {
      if (letter.sentence == utterance.sentences) utterance.partial_runs = false;
      // The sentence has ended meanwhile.
      if (letter.sentence < utterance.sentences || !letter.result.ok()) co_return;
      std::string certain = utterance.partial[letter.sentence].Update(letter.result->text);
      if (certain.empty()) co_return;
      co_return co_await Say(RenderSocketPartial(utterance.mode, utterance.name, certain));
    }
    case SocketLetter::Kind::kSentence:
      utterance.early.emplace(letter.sentence, std::move(letter.result));
      co_return co_await AnswerSentences(letter.utterance);
    case SocketLetter::Kind::kEnd: {
      if (utterance.mode == SocketMode::kOffline) co_return;  // its recording answers
      const bool nothing_was_said = utterance.sentences == 0;
      if (!nothing_was_said && utterance.next < utterance.sentences) co_return;
      std::string answer = RenderSocketSentence(utterance.mode, utterance.name, {}, "", true);
      co_return co_await SayLast(letter.utterance, std::move(answer));
    }
  }
}

Awaitable<void> SocketAnswers::SayLast(int64_t number, std::string answer) {
  const SocketUtterance last = std::move(utterances_.extract(number).mapped());
  co_await Say(std::move(answer));
  if (!last.wants_end) co_return;
  std::string end = RenderSocketEnd(last.mode, last.name, last.failed);
  co_await Say(std::move(end));
}

Awaitable<void> SocketAnswers::AnswerSentences(int64_t number) {
  while (true) {
    // While an answer left, more can have happened.
    const auto found = utterances_.find(number);
    if (found == utterances_.end()) co_return;
    SocketUtterance& utterance = found->second;
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

Awaitable<void> SocketAnswers::Say(std::string text) {
  // One writer at a time: the reader's errors and the writer's answers take turns.
  outbox_.push_back(std::move(text));
  if (outbox_.size() > 1) co_return;
  while (!outbox_.empty()) {
    co_await socket_.WriteText(outbox_.front());
    outbox_.pop_front();
  }
}

}  // namespace tutti
