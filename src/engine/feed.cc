#include "engine/feed.h"

#include <algorithm>
#include <utility>

#include "engine/audio_input.h"
#include "engine/cpu_clock.h"
#include "engine/no_throw.h"

namespace tutti {

Feed::Feed(std::shared_ptr<Request> request, AudioInput input, const RecognizerParts& parts, SegmentQueue& queue,
           SyncPoints* sync_points)
    : request_(std::move(request)),
      input_(std::move(input)),
      size_(SizeInBytes(input_)),
      parts_(parts),
      queue_(queue),
      sync_points_(sync_points) {}

bool Feed::can_run() const {
  return cut_.empty() || request_->stopped() || (queue_.HasRoomFor(*cut_.front()) && !waits_for_text());
}

bool Feed::waits_for_text() const {
  if (cut_.empty() || request_->stopped() || !request_->may_wait_for_segments()) return false;
  const bool for_text = request_->options().search.condition_on_previous_text;
  return (for_text || request_->LanguageOf(cut_.front()->channel).code.empty()) &&
         request_->finished_segments() < queued_;
}

bool Feed::Step(Workspace& workspace) {
  if (request_->stopped()) return false;
  const absl::StatusOr<bool> more = NoThrow(input_.name(), [&] { return TryStep(workspace); });
  if (more.ok()) return *more;
  request_->Fail(NamingInput(more.status(), input_.name()));
  return false;
}

absl::StatusOr<bool> Feed::TryStep(Workspace& workspace) {
  for (; !cut_.empty(); cut_.pop_front()) {
    if (waits_for_text()) return true;
    if (request_->options().search.condition_on_previous_text) {
      cut_.front()->previous = request_->TextBefore(cut_.front()->channel);
    }
    if (request_->may_wait_for_segments()) cut_.front()->language = request_->LanguageOf(cut_.front()->channel);
    const absl::Status pushed = queue_.Push(cut_.front());
    if (absl::IsResourceExhausted(pushed)) return true;
    if (request_->stopped()) return false;
    TUTTI_RETURN_IF_ERROR(pushed);
    ++queued_;
    ReachSyncPoint(sync_points_, "SegmentQueue:pushed");
  }
  if (ended_) {
    request_->FeedingDone(recording_);
    return false;
  }
  if (decoder_ == nullptr) TUTTI_RETURN_IF_ERROR(Open());
  TUTTI_RETURN_IF_ERROR(DecodeOn(workspace));
  return true;
}

absl::Status Feed::Open() {
  const TranscribeOptions& options = request_->options();
  CpuTimer timer(recording_.timings.decode);
  TUTTI_ASSIGN_OR_RETURN(decoder_, OpenDecoder(input_, options));
  recording_.channels = decoder_->channels();
  SegmenterOptions segmenter_options;
  segmenter_options.max_segment_ms = std::min(options.max_segment_ms, parts_.asr->max_segment_ms(options.search));
  const std::shared_ptr<const FsmnVad> vad = options.use_vad ? parts_.vad : nullptr;
  if (vad != nullptr) segmenter_options.vad = options.vad_options.value_or(vad->default_options());
  for (int channel = 0; channel < decoder_->channels(); ++channel) {
    TUTTI_ASSIGN_OR_RETURN(Segmenter segmenter, Segmenter::Create(vad, segmenter_options, sync_points_));
    segmenters_.push_back(std::move(segmenter));
  }
  joined_.resize(segmenters_.size());
  return absl::OkStatus();
}

absl::Status Feed::DecodeOn(Workspace& workspace) {
  decoded_.resize(segmenters_.size());
  for (std::vector<float>& samples : decoded_) samples.clear();
  if (sync_points_ != nullptr) sync_points_->At("Feed:decoding " + input_.name());
  {
    CpuTimer timer(recording_.timings.decode);
    TUTTI_ASSIGN_OR_RETURN(const bool more, decoder_->Read(decoded_));
    ended_ = !more;
  }
  samples_ += static_cast<int64_t>(decoded_.front().size());

  const double features_before = recording_.timings.features;
  double cpu = 0;
  {
    CpuTimer timer(cpu);
    for (size_t i = 0; i < segmenters_.size(); ++i) {
      segmenters_[i].Accept(decoded_[i], ended_, workspace, [&](VadSegment segment, std::span<const float> samples) {
        Cut(segment, static_cast<int>(i), samples);
      });
      if (ended_) CutJoined(static_cast<int>(i));
    }
  }
  recording_.timings.vad += cpu - (recording_.timings.features - features_before);
  recording_.duration_ms = samples_ / 16;
  recording_.truncated = decoder_->truncated();
  request_->Decoded(recording_.duration_ms);
  return absl::OkStatus();
}

void Feed::Cut(VadSegment segment, int channel, std::span<const float> samples) {
  const int64_t join = parts_.asr->join_ms(request_->options().search) * 16;
  if (join == 0) return Queue({segment}, channel, samples);
  Joined& joined = joined_[static_cast<size_t>(channel)];
  if (static_cast<int64_t>(joined.samples.size() + samples.size()) > join) CutJoined(channel);
  joined.pieces.push_back(segment);
  joined.samples.insert(joined.samples.end(), samples.begin(), samples.end());
}

void Feed::CutJoined(int channel) {
  Joined& joined = joined_[static_cast<size_t>(channel)];
  if (joined.samples.empty()) return;
  Queue(std::exchange(joined.pieces, {}), channel, joined.samples);
  joined.samples.clear();
}

void Feed::Queue(std::vector<VadSegment> pieces, int channel, std::span<const float> samples) {
  auto queued = std::make_unique<QueuedSegment>();
  {
    CpuTimer timer(recording_.timings.features);
    const FeatureExtractor& frontend = *parts_.asr->frontend();
    queued->rows = frontend.Rows(static_cast<int64_t>(samples.size()));
    if (queued->rows == 0) return;  // below 25 ms: nothing to hear
    queued->cost = std::max(queued->rows, parts_.asr->batch_rows(queued->rows, request_->options().search));
    queued->features.reserve(static_cast<size_t>(queued->rows * frontend.width()));
    frontend.Compute(samples, queued->features);
  }
  queued->request = request_;
  queued->pieces = std::move(pieces);
  queued->channel = channel;
  queued->number = request_->ExpectSegment();
  cut_.push_back(std::move(queued));
  ReachSyncPoint(sync_points_, "Feed:segment_cut");
}

}  // namespace tutti
