#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/status.h"
#include "models/whisper_decoder.h"
#include "models/whisper_search.h"
#include "nn/kv_pool.h"
#include "nn/workspace.h"

namespace tutti {

// The utterances whose tokens one worker is looking for. A step is one pass of the decoder over the hypotheses of all
// of them; utterances join before any step and leave at their own end, so nobody waits for the longest.
//
// An utterance's result is a function of its encoding and options alone, bit for bit, whoever is there beside it.
// Not thread-safe; each worker owns one.
class WhisperBatch {
 public:
  // `decoder` and `tokens` outlive it. Keys and values of hypotheses take up to max_cache_bytes.
  WhisperBatch(const WhisperDecoder& decoder, const WhisperVocabulary& tokens, int64_t max_cache_bytes)
      : decoder_(decoder), tokens_(tokens), pool_(decoder.MakePool(max_cache_bytes)) {}

  // Takes an utterance in, whose memory is decoder.Listen's. `id` is the caller's; its result comes with it.
  // ResourceExhausted, with `memory` still the caller's, while the pool has no room for it: ask again when another has
  // finished. One alone always has room. InvalidArgument for options that the model cannot serve.
  absl::Status Admit(int64_t id, CrossMemory& memory, WhisperDecodeOptions options);

  // Lets go of an utterance that has not finished.
  void Remove(int64_t id);

  // One token for every hypothesis there is.
  void Step(Workspace& workspace);

  bool empty() const { return utterances_.empty(); }
  int64_t utterances() const { return static_cast<int64_t>(utterances_.size()); }
  const KvPool& pool() const { return pool_; }
  // Gives memory that no utterance uses back to the system.
  void Trim() { pool_.Trim(); }

  // What was found, and the utterance's memory, which can be listened to once more.
  struct Finished {
    int64_t id = 0;
    WhisperResult result;
    CrossMemory memory;
  };
  // Those that ended with the last steps, in the order in which they came.
  std::vector<Finished> TakeFinished() { return std::exchange(finished_, {}); }

 private:
  struct Utterance {
    int64_t id;
    CrossMemory memory;
    std::unique_ptr<WhisperSearch> search;
  };

  const WhisperDecoder& decoder_;
  const WhisperVocabulary& tokens_;
  KvPool pool_;
  std::vector<std::unique_ptr<Utterance>> utterances_;
  std::vector<Finished> finished_;
  // Of a step.
  std::vector<WhisperInput> inputs_;
  std::vector<int64_t> wanted_;
  std::vector<int64_t> first_wanted_;
};

}  // namespace tutti
