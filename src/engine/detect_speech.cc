#include "engine/detect_speech.h"

#include <limits>
#include <utility>
#include <vector>

#include "base/status.h"
#include "engine/audio_input.h"
#include "engine/segmenter.h"

namespace tutti {
namespace {

class StreamSession final : public VadSession {
 public:
  explicit StreamSession(std::unique_ptr<VadStream> stream) : stream_(std::move(stream)) {}

  std::vector<VadEvent> Accept(std::span<const float> samples, bool is_final) override {
    std::vector<VadEvent> events;
    stream_->Accept(samples, is_final, workspace_, events);
    return events;
  }

 private:
  const std::unique_ptr<VadStream> stream_;
  Workspace workspace_;
};

}  // namespace

absl::StatusOr<Recognizer::SpeechResult> DetectSpeech(const std::shared_ptr<const FsmnVad>& vad,
                                                      const AudioInput& input, const TranscribeOptions& options,
                                                      SyncPoints* sync_points) {
  TUTTI_ASSIGN_OR_RETURN(const auto decoder, OpenDecoder(input, options));
  const SegmenterOptions segmenter_options{.vad = options.vad_options.value_or(vad->default_options()),
                                           .max_segment_ms = std::numeric_limits<int64_t>::max()};
  std::vector<Segmenter> segmenters;
  for (int channel = 0; channel < decoder->channels(); ++channel) {
    TUTTI_ASSIGN_OR_RETURN(Segmenter segmenter, Segmenter::Create(vad, segmenter_options, sync_points));
    segmenters.push_back(std::move(segmenter));
  }

  Recognizer::SpeechResult result;
  result.channels.resize(segmenters.size());
  Workspace workspace;
  Progress progress;
  int64_t samples = 0;
  std::vector<std::vector<float>> pieces(segmenters.size());
  for (bool more = true; more;) {
    if (options.deadline && std::chrono::steady_clock::now() >= *options.deadline) {
      return absl::DeadlineExceededError(fmt::format("{}: the deadline passed", input.name()));
    }
    for (std::vector<float>& piece : pieces) piece.clear();
    const absl::StatusOr<bool> read = decoder->Read(pieces);
    if (!read.ok()) return NamingInput(read.status(), input.name());
    more = *read;
    for (size_t i = 0; i < segmenters.size(); ++i) {
      segmenters[i].Accept(pieces[i], !more, workspace, [&](VadSegment segment, std::span<const float>) {
        result.channels[i].push_back(segment);
        ++progress.segments_found;
      });
    }
    samples += static_cast<int64_t>(pieces.front().size());
    progress.audio_ms_decoded = samples / 16;
    if (options.progress) options.progress(progress);
  }
  result.duration_ms = samples / 16;
  return result;
}

absl::StatusOr<std::unique_ptr<VadSession>> OpenVadSession(const std::shared_ptr<const FsmnVad>& vad,
                                                           const VadOptions& options, SyncPoints* sync_points) {
  TUTTI_ASSIGN_OR_RETURN(auto stream, VadStream::Create(vad, options, sync_points));
  return std::make_unique<StreamSession>(std::move(stream));
}

}  // namespace tutti
