#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "base/sync_point.h"
#include "models/fsmn_vad.h"
#include "nn/workspace.h"
#include "tutti/vad.h"

namespace tutti {

struct SegmenterOptions {
  VadOptions vad;
  int64_t max_segment_ms = 120'000;  // longer ones are cut at their quietest place
};

// Cuts one channel into the stretches to recognise, while its audio arrives: what the VAD takes for speech, or all of
// it without a VAD. The stretches do not depend on how the audio was cut into pieces.
//
// Audio is let go as soon as no coming segment can need it, so memory holds at most one segment and the VAD's
// hesitation, however long the recording. Not thread-safe; one channel each.
class Segmenter {
 public:
  // Receives each segment with its samples [start·16, end·16), which are valid during the call only.
  using Sink = std::function<void(VadSegment segment, std::span<const float> samples)>;

  // `vad` null: no detection. InvalidArgument for VAD options out of range.
  static absl::StatusOr<Segmenter> Create(const std::shared_ptr<const FsmnVad>& vad, const SegmenterOptions& options,
                                          SyncPoints* sync_points = nullptr);

  // The next 16 kHz samples. `is_final` once, with the last of them.
  void Accept(std::span<const float> samples, bool is_final, Workspace& workspace, const Sink& sink);

  // Samples held, for tests of the memory bound.
  int64_t buffered() const { return static_cast<int64_t>(samples_.size()); }

 private:
  static constexpr int64_t kSamplesPerMs = 16;

  Segmenter(std::unique_ptr<VadStream> vad, const SegmenterOptions& options);

  int64_t received_ms() const { return (first_ + static_cast<int64_t>(samples_.size())) / kSamplesPerMs; }
  std::span<const float> Slice(int64_t begin_ms, int64_t end_ms) const;
  void CutWhileLongerThanAllowed(int64_t certain_ms, const Sink& sink);
  void End(int64_t end_ms, const Sink& sink);
  void Forget();

  std::unique_ptr<VadStream> vad_;  // null: all is speech
  int64_t max_segment_ms_;
  int64_t hesitation_ms_;  // the VAD may place an end so far back

  std::vector<float> samples_;
  std::vector<VadEvent> events_;
  int64_t first_ = 0;     // absolute index of samples_[0]
  int64_t open_ms_ = -1;  // start of the segment that has no end yet; -1: none
};

}  // namespace tutti
