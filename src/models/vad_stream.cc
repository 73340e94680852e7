#include <algorithm>

#include "frontend/fbank_kernel.h"
#include "models/fsmn_vad.h"

namespace tutti {
namespace {

constexpr int64_t kVadSamplesPerMs = 16;
constexpr int64_t kPiece = 128 * 160;  // samples worked off at a time: 128 frames

}  // namespace

absl::StatusOr<std::unique_ptr<VadStream>> VadStream::Create(std::shared_ptr<const FsmnVad> model,
                                                             const VadOptions& options, SyncPoints* sync_points) {
  TUTTI_RETURN_IF_ERROR(Validate(options));
  for (const int id : options.sil_pdf_ids) {
    if (id >= model->classes()) {
      return InvalidArgument("VAD option sil_pdf_ids: {}, expected ids below {}, the classes of the model", id,
                             model->classes());
    }
  }
  return std::unique_ptr<VadStream>(new VadStream(std::move(model), options, sync_points));
}

VadStream::VadStream(std::shared_ptr<const FsmnVad> model, const VadOptions& options, SyncPoints* sync_points)
    : model_(std::move(model)),
      options_(options),
      sync_points_(sync_points),
      features_(model_->frontend()),
      machine_(options),
      chunk_left_(options.chunk_size * kVadSamplesPerMs) {}

void VadStream::Accept(std::span<const float> samples, bool is_final, Workspace& workspace,
                       std::vector<VadEvent>& events) {
  bool ended = false;
  while (!samples.empty() || (is_final && !ended)) {
    int64_t piece = std::min(static_cast<int64_t>(samples.size()), kPiece);
    if (options_.dynamic_silence) piece = std::min(piece, chunk_left_);
    const bool at_border = options_.dynamic_silence && piece == chunk_left_;
    // Audio that ends at a border ends with an empty chunk, as FunASR's does.
    ended = is_final && !at_border && piece == static_cast<int64_t>(samples.size());
    AcceptPiece(samples.first(static_cast<size_t>(piece)), ended, workspace);
    samples = samples.subspan(static_cast<size_t>(piece));
    chunk_left_ -= piece;
    if (at_border) {
      machine_.NextChunk();
      chunk_left_ = options_.chunk_size * kVadSamplesPerMs;
    }
  }
  machine_.TakeEvents(events);
  if (!is_final) return;
  memory_.layers.clear();
  machine_.Reset();
  chunk_left_ = options_.chunk_size * kVadSamplesPerMs;
  samples_.clear();
  decibels_.clear();
}

void VadStream::AcceptPiece(std::span<const float> samples, bool is_final, Workspace& workspace) {
  const FrontendOptions& frontend = model_->frontend()->options();
  samples_.insert(samples_.end(), samples.begin(), samples.end());
  const int64_t frames = model_->frontend()->Frames(static_cast<int64_t>(samples_.size()));
  const size_t known = decibels_.size();
  decibels_.resize(known + static_cast<size_t>(frames));
  FrameDecibels(samples_.data(), frames, frontend.frame_length, frontend.frame_shift, decibels_.data() + known);
  samples_.erase(samples_.begin(), samples_.begin() + frames * frontend.frame_shift);

  rows_.clear();
  const int64_t rows = features_.Accept(samples, is_final, rows_);
  if (rows == 0 && !is_final) return;
  Workspace::Scope scope(workspace);
  float* silence = scope.Floats(rows);
  model_->Silence(rows_.data(), rows, options_.sil_pdf_ids, memory_, workspace, silence);
  ReachSyncPoint(sync_points_, "VadStream:network_done");
  const auto count = static_cast<size_t>(rows);
  machine_.Accept({silence, count}, std::span(decibels_).first(count), is_final);
  decibels_.erase(decibels_.begin(), decibels_.begin() + rows);
}

absl::StatusOr<std::vector<VadSegment>> DetectSpeech(const std::shared_ptr<const FsmnVad>& model,
                                                     std::span<const float> samples, const VadOptions& options,
                                                     Workspace& workspace) {
  TUTTI_ASSIGN_OR_RETURN(const auto stream, VadStream::Create(model, options));
  std::vector<VadEvent> events;
  stream->Accept(samples, true, workspace, events);
  std::vector<VadSegment> segments;
  AppendSegments(events, segments);
  return segments;
}

}  // namespace tutti
