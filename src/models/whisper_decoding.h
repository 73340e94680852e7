#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/decoding.h"
#include "models/whisper_batch.h"
#include "models/whisper_fallback.h"
#include "nn/cross_attention.h"
#include "nn/workspace.h"

namespace tutti {

class Whisper;

// What one worker recognises with Whisper: windows are encoded as they come, a group at a time, and their texts are
// found together. A window that the cache of keys and values has no room for waits, encoded, for others to end. One
// whose text is to be looked for again keeps its encoding and goes first.
class WhisperDecoding final : public Decoding {
 public:
  // `model` outlives it.
  explicit WhisperDecoding(const Whisper& model);

  // Of the keys and values of one worker's hypotheses at most: room for nine windows of whisper-base, of 30 MiB each
  // where five beams are as long as they can be; with larger models for four. Windows that wait are encoded, and their
  // encoding is larger than the keys and values of most texts.
  static int64_t MaxCacheBytes(int64_t layers, int64_t width, int64_t text_positions);

  void Admit(std::span<const Utterance> utterances, Workspace& workspace) override;
  void Step(Workspace& workspace, std::vector<Finished>& finished) override;
  void Remove(int64_t id) override;
  void Clear() override;
  void Trim() override { batch_.Trim(); }
  bool empty() const override { return live_.empty(); }

 private:
  struct Live {
    int64_t id;
    int64_t frames;  // of features
    const SearchOptions* options;
    std::string language;                       // as Utterance has it
    std::unique_ptr<WhisperFallback> fallback;  // null where the model cannot serve the options
  };
  struct Waiting {
    int64_t id;
    absl::StatusOr<WhisperDecodeOptions> options;
    CrossMemory memory;
  };

  void Encode(std::span<const Utterance> group, Workspace& workspace);
  // As many of the waiting as there is room for; those that cannot be are finished.
  void LetIn(std::vector<Finished>& finished);
  void Forget(int64_t id);
  // What the searches found: no text where the decoder itself takes the window for silence.
  Hypothesis ToHypothesis(const Live& live) const;

  const Whisper& model_;
  WhisperBatch batch_;
  std::vector<Live> live_;  // waiting or in the batch
  std::deque<Waiting> waiting_;
};

}  // namespace tutti
