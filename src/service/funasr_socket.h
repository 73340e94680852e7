#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tutti/transcript.h"

namespace tutti {

// The text frames of FunASR's WebSocket protocol (spec §17.1, §17.2).

enum class SocketMode { kOffline, kOnline, kTwoPass };

// What a client says in a text frame; what it leaves out stays as it was.
struct SocketCommand {
  std::optional<SocketMode> mode;
  std::optional<std::string> wav_name;
  std::optional<std::string> wav_format;  // pcm, or the ending of a file name
  std::optional<int> audio_fs;            // of pcm, Hz
  std::optional<bool> is_speaking;        // false ends the utterance; is_finished: true does so, too
  bool is_end = false;                    // with it: wants RenderSocketEnd after the utterance's last answer
  bool is_live = false;                   // names chunk_size: speaks to a server whose mode is 2pass unless it says so
  std::optional<std::string> model;       // ours: which of the loaded models
  // Options of the search by name: ours, except that FunASR's hotwords are words here and its svs_lang is a language.
  std::map<std::string, std::string> search;
};

// InvalidArgument says which member is wrong. Members that change nothing here (itn, svs_itn, …) are let pass.
absl::StatusOr<SocketCommand> ParseSocketCommand(std::string_view text);

// The answer to a whole recording.
std::string RenderSocketResult(std::string_view wav_name, const Transcript& transcript);
// More text of a sentence that is still being spoken: `text` is what has come to it since the last.
std::string RenderSocketPartial(SocketMode mode, std::string_view wav_name, std::string_view text);
// A finished sentence; in two passes it replaces the partial texts since the last.
std::string RenderSocketSentence(SocketMode mode, std::string_view wav_name, const Segment& segment,
                                 std::string_view text, bool is_final);
// FunASR's servers say nothing about errors; clients that know no "error" show the empty text.
std::string RenderSocketError(SocketMode mode, std::string_view wav_name, const absl::Status& status);
// Nothing more will come of the utterance that ended with is_end. `failed`: something of it could not be answered,
// which an error frame has told; is_final is false then, as FunASR's clients expect it.
std::string RenderSocketEnd(SocketMode mode, std::string_view wav_name, const absl::Status& failed);

// What of a growing hypothesis may be told, when told text cannot be taken back: the words in which two hypotheses in
// a row agree. Not thread-safe; one sentence each.
class StableText {
 public:
  // Takes a hypothesis of the sentence so far; returns the words that are certain now and were not told before.
  std::string Update(const std::string& hypothesis);
  // The sentence is this: returns what has not been told of it.
  std::string Finish(const std::string& final_text) const;

 private:
  std::vector<std::string> last_;
  size_t told_ = 0;  // pieces of last_
};

}  // namespace tutti
