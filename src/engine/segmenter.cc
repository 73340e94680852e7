#include "engine/segmenter.h"

#include <algorithm>
#include <utility>

#include "engine/quiet_cut.h"

namespace tutti {
namespace {

// Filter bank window, stacking and rounding of the VAD's frames, generously.
constexpr int64_t kFrameDelayMs = 200;

// The most patience that the dynamic schedule has with silence.
constexpr int64_t kLongestDynamicSilenceMs = 2000;

int64_t Hesitation(const VadOptions& vad) {
  const int64_t silence_ms =
      std::max<int64_t>(vad.max_end_silence_time, vad.dynamic_silence ? kLongestDynamicSilenceMs : 0);
  return kFrameDelayMs + vad.window_size_ms + silence_ms;
}

}  // namespace

absl::StatusOr<Segmenter> Segmenter::Create(const std::shared_ptr<const FsmnVad>& vad, const SegmenterOptions& options,
                                            SyncPoints* sync_points) {
  if (vad == nullptr) return Segmenter(nullptr, options);
  TUTTI_ASSIGN_OR_RETURN(auto stream, VadStream::Create(vad, options.vad, sync_points));
  return Segmenter(std::move(stream), options);
}

Segmenter::Segmenter(std::unique_ptr<VadStream> vad, const SegmenterOptions& options)
    : vad_(std::move(vad)),
      max_segment_ms_(options.max_segment_ms),
      hesitation_ms_(vad_ == nullptr ? 0 : Hesitation(options.vad)),
      open_ms_(vad_ == nullptr ? 0 : -1) {}

void Segmenter::Accept(std::span<const float> samples, bool is_final, Workspace& workspace, const Sink& sink) {
  samples_.insert(samples_.end(), samples.begin(), samples.end());
  events_.clear();
  if (vad_ != nullptr) vad_->Accept(samples, is_final, workspace, events_);
  for (const VadEvent& event : events_) {
    if (event.start_ms >= 0) open_ms_ = event.start_ms;
    if (event.end_ms >= 0) End(event.end_ms, sink);
  }
  if (open_ms_ >= 0 && is_final) End(received_ms(), sink);
  if (open_ms_ >= 0) CutWhileLongerThanAllowed(received_ms() - hesitation_ms_, sink);
  Forget();
}

// `certain_ms`: the open segment reaches this far at least.
void Segmenter::CutWhileLongerThanAllowed(int64_t certain_ms, const Sink& sink) {
  while (certain_ms - open_ms_ > max_segment_ms_) {
    const int64_t cut_ms = open_ms_ + QuietestCut(Slice(open_ms_, open_ms_ + max_segment_ms_)) / kSamplesPerMs;
    sink({open_ms_, cut_ms}, Slice(open_ms_, cut_ms));
    open_ms_ = cut_ms;
  }
}

void Segmenter::End(int64_t end_ms, const Sink& sink) {
  CutWhileLongerThanAllowed(end_ms, sink);
  sink({open_ms_, end_ms}, Slice(open_ms_, end_ms));
  open_ms_ = -1;
}

void Segmenter::Forget() {
  const int64_t needed_ms = open_ms_ >= 0     ? open_ms_
                            : vad_ != nullptr ? vad_->first_needed_frame() * 10
                                              : received_ms();
  const int64_t count =
      std::clamp<int64_t>(needed_ms * kSamplesPerMs - first_, 0, static_cast<int64_t>(samples_.size()));
  samples_.erase(samples_.begin(), samples_.begin() + count);
  first_ += count;
}

std::span<const float> Segmenter::Slice(int64_t begin_ms, int64_t end_ms) const {
  const auto held = static_cast<int64_t>(samples_.size());
  const int64_t begin = std::clamp<int64_t>(begin_ms * kSamplesPerMs - first_, 0, held);
  const int64_t end = std::clamp<int64_t>(end_ms * kSamplesPerMs - first_, begin, held);
  return std::span(samples_).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
}

}  // namespace tutti
