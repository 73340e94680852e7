#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "tutti/vad.h"

namespace tutti {

// InvalidArgument names the option and its range.
absl::Status Validate(const VadOptions& options);

// Continues a list of segments by a stream's events. While a segment's end is unknown, its end_ms is -1.
void AppendSegments(std::span<const VadEvent> events, std::vector<VadSegment>& segments);

// FSMN-VAD's decisions, frame by frame (spec §4): silence probability and decibels in, segments out. Pure state, no
// audio, no network. Holds one stream; not thread-safe.
class VadStateMachine {
 public:
  // Options as Validate accepts them.
  explicit VadStateMachine(const VadOptions& options);

  // The next frames in order; silence[i] in [0, 1], decibels[i] in dB, as many. `is_final`: the last frame given is the
  // last of the stream.
  void Accept(std::span<const float> silence, std::span<const float> decibels, bool is_final);

  // chunk_size ms of audio are over and the frames that they completed were accepted: dynamic_silence chooses its
  // patience for the next chunk. No effect without dynamic_silence.
  void NextChunk();

  // Appends the events that are new since the last call (spec §4.6).
  void TakeEvents(std::vector<VadEvent>& events);

  // A new stream with the same options.
  void Reset();

  // Every frame before this one (10 ms each) will not be part of a segment whose end was not taken yet: its audio can
  // be let go.
  int64_t first_needed_frame() const;

 private:
  enum class Phase { kStartNotFound, kInSpeech, kEndFound };
  enum class Change { kSilence, kSpeechBegins, kSpeech, kSpeechEnds };
  struct Segment {
    int64_t start_ms = 0;
    int64_t end_ms = 0;
    bool ended = false;
    bool start_taken = false;
  };

  bool IsSpeech(float silence, float decibels);
  Change Window(bool speech);
  void Step(int64_t frame, Change change, bool is_last);
  void StepInSilence(int64_t frame, bool is_last);
  void StepInSpeech(int64_t frame, bool is_last);

  void Start(int64_t frame);
  void Output(int64_t frame);
  void Voice(int64_t frame);
  void VoiceUpTo(int64_t end);  // from the last confirmed speech frame to end - 1
  void End(int64_t frame);
  bool TooLong(int64_t frame) const;

  void ForgetSpeech();
  int64_t PatienceOf(int64_t silence_ms) const;

  const VadOptions options_;
  const int64_t latency_;    // frames that a start may lie before its trigger
  const int64_t lookahead_;  // frames of silence that a segment keeps at its end
  const double threshold_;   // how far speech must exceed noise

  Phase phase_ = Phase::kStartNotFound;
  int64_t next_frame_ = 0;
  std::vector<uint8_t> window_;  // ring of the latest frames: 1 speech, 0 silence
  size_t window_at_ = 0;
  int64_t window_sum_ = 0;
  bool window_speech_ = false;   // what the window said last
  int64_t silent_frames_ = 0;    // in a row
  int64_t segment_start_ = -1;   // frame
  int64_t last_speech_ = 0;      // latest confirmed speech frame
  int64_t first_unwritten_ = 0;  // frame; a new segment cannot start before it
  bool ever_ended_ = false;      // an end was decided, with or without a segment
  double noise_decibels_ = -100;
  int64_t patience_ms_ = 0;  // silence that ends a segment, after the window has turned

  // The dynamic schedule.
  int64_t speech_ms_ = 0;  // in chunks since speech was first seen without a finished segment
  bool counting_ = false;
  bool finished_in_chunk_ = false;

  std::vector<Segment> segments_;  // whose end was not taken yet; at most the last is open
};

}  // namespace tutti
