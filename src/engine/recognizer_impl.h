#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "base/status.h"
#include "engine/feed_queue.h"
#include "engine/lent_team.h"
#include "engine/parts.h"
#include "engine/request_table.h"
#include "engine/segment_queue.h"
#include "engine/worker.h"
#include "tutti/recognizer.h"

namespace tutti {

// A recogniser over models that are loaded already; for benchmarks with synthetic weights and tests with fake models.
absl::StatusOr<std::unique_ptr<Recognizer>> CreateRecognizer(const RecognizerOptions& options, RecognizerParts parts);

// The models that the options name, which starts no thread. Errors name the file and the field.
absl::StatusOr<RecognizerParts> LoadParts(const RecognizerOptions& options);

// InvalidArgument names the option that is out of range.
absl::Status CheckTranscribeOptions(const TranscribeOptions& options);

// Audio flows one way: Submit → FeedQueue → decode threads (decode, detect speech, cut, features) → SegmentQueue →
// workers (network, text) → Request → the caller. RequestTable watches over the whole and ends what is stopped.
//
// Sync points, all reached without locks:
//   Feed:decoding NAME      a decode thread is about to decode more of the input with this name
//   Feed:segment_cut        a decode thread has cut a segment and made its features
//   SegmentQueue:pushed     a decode thread has queued a segment
//   Worker:batch_popped     a worker has taken a batch
//   Worker:network_done     a worker has the hypotheses and has not handed them back
//   Request:finished        a result is there and its owner has been told
// and those of VadStream.
class RecognizerImpl final : public Recognizer {
 public:
  // `options` with threads, decode_threads resolved. `helpers` threads besides help a worker that works while the
  // others wait.
  RecognizerImpl(const RecognizerOptions& options, int helpers, RecognizerParts parts);
  ~RecognizerImpl() override;

  absl::Status Start();

  absl::StatusOr<Transcript> Transcribe(AudioInput input, const TranscribeOptions& options) override;
  absl::StatusOr<std::shared_ptr<Transcription>> Submit(AudioInput input, const TranscribeOptions& options,
                                                        OnDone on_done) override;
  void TranscribeFiles(std::span<const std::string> files, const TranscribeOptions& options,
                       const OnResult& on_result) override;
  absl::StatusOr<std::unique_ptr<VadSession>> OpenStream(const VadOptions& options) override;
  absl::StatusOr<SpeechResult> DetectSpeech(AudioInput input, const TranscribeOptions& options) override;
  RecognizerStats stats() const override;
  int threads() const override { return options_.threads; }
  ComputeType compute_type() const override;
  bool takes_search_options() const override { return parts_.asr != nullptr && parts_.asr->takes_search_options(); }
  std::vector<std::string> languages() const override;
  bool translates() const override { return parts_.asr != nullptr && parts_.asr->translates(); }
  VadOptions default_vad_options() const override;

  // For tests of the bounds.
  const SegmentQueue& segment_queue() const { return segments_; }

 private:
  absl::StatusOr<std::shared_ptr<Request>> Accept(bool wait, AudioInput input, const TranscribeOptions& options,
                                                  OnDone on_done);
  absl::Status Pin();
  void DecodeThread();

  const RecognizerOptions options_;
  const int helpers_;
  const RecognizerParts parts_;

  FeedQueue feeds_;
  SegmentQueue segments_;
  WorkerCounts counts_;
  const std::shared_ptr<RequestTable> requests_;
  std::unique_ptr<LentTeam> team_;  // null: no helpers
  std::vector<std::thread> workers_, decoders_;
};

}  // namespace tutti
