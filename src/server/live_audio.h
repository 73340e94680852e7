#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "audio/resampler.h"
#include "base/status.h"
#include "tutti/recognizer.h"

namespace tutti {

// Audio of a live stream, cut into sentences by the streaming VAD while it comes in.
//
// Holds no more than the sentence that is open and the VAD's hesitation. Not thread-safe; Accept computes, and may run
// on any thread.
class LiveAudio {
 public:
  // 16-bit mono PCM at `sample_rate`. `vad` may be null: the whole stream is one sentence then, cut every minute.
  static absl::StatusOr<LiveAudio> Create(std::unique_ptr<VadSession> vad, int sample_rate);

  // A sentence that has ended.
  struct Sentence {
    int64_t start_ms = 0, end_ms = 0;
    std::vector<float> samples;  // 16 kHz
  };

  // Any number of bytes; a sample may be torn between two calls.
  std::vector<Sentence> Accept(std::string_view pcm, bool is_final);

  // The sentence that is being spoken, as far as it goes; none in silence.
  std::optional<Sentence> open() const;
  int64_t open_ms() const { return open_ms_ < 0 ? 0 : received_ms() - open_ms_; }
  int64_t held_ms() const { return static_cast<int64_t>(samples_.size()) / kPerMs; }  // for tests of the bound
  int64_t received_ms() const { return (first_ + static_cast<int64_t>(samples_.size())) / kPerMs; }

 private:
  static constexpr int64_t kPerMs = 16;

  LiveAudio(std::unique_ptr<VadSession> vad, Resampler resampler)
      : vad_(std::move(vad)), resampler_(std::move(resampler)) {}

  Sentence Cut(int64_t start_ms, int64_t end_ms) const;
  void Forget();

  std::unique_ptr<VadSession> vad_;
  Resampler resampler_;
  std::optional<char> half_sample_;
  std::vector<float> samples_;  // 16 kHz
  int64_t first_ = 0;           // absolute index of samples_[0]
  int64_t open_ms_ = -1;
};

}  // namespace tutti
