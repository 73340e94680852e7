#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tutti/compute_type.h"
#include "tutti/search_options.h"
#include "tutti/transcript.h"
#include "tutti/vad.h"

namespace tutti {

class SyncPoints;

struct RecognizerOptions {
  std::string model;  // a recognition model: a directory (FunASR layout) or a GGUF file
  std::string vad;    // a VAD model, likewise; empty: every recording is one segment
  // Of the recognition model; one that the CPU lacks falls back to f32, kAuto is that of a converted GGUF file first.
  ComputeType compute_type = ComputeType::kAuto;
  int threads = 0;  // workers that run the network; 0: one per core
  // Threads that decode, detect speech and make features; 0: as many as workers, at most one per core.
  int decode_threads = 0;
  // Worker i runs on the i-th CPU that this process may use, and on no other; beyond their number it begins again.
  // Create fails where the system refuses. Decode threads are free.
  bool pin_threads = false;
  // All workers share the rows of one batch at a time, for the least time from one recording to its text. For many
  // recordings at once it is slower than each worker on a batch of its own. Results are the same to the last bit.
  bool latency = false;
  // A batch takes segments until it holds this many seconds of audio; four times as many where a model finds its text
  // token by token (Whisper).
  double batch_seconds = 60;
  // Segments that wait for a worker; beyond either bound, decoding pauses.
  double queue_seconds = 600;
  int64_t queue_bytes = int64_t{256} << 20;
  // Recordings accepted by Submit and not yet finished; beyond it Submit gives ResourceExhausted.
  int64_t max_pending = 100'000;
  SyncPoints* sync_points = nullptr;  // tests only
};

enum class Channels { kMix, kSplit };
enum class Priority { kInteractive, kBatch };

struct Progress {
  int64_t audio_ms_decoded = 0;
  int64_t segments_found = 0;
  int64_t segments_done = 0;
  int attempts = 1;  // how often it was begun; more only where processes do the work, and one of them has died
  bool operator==(const Progress&) const = default;
};

// What one request may choose. Nothing here touches the model or another request.
struct TranscribeOptions {
  bool use_vad = true;                    // no effect without a VAD model
  std::optional<VadOptions> vad_options;  // none: the VAD package's defaults, fixed silence
  Channels channels = Channels::kMix;
  std::string raw_format;  // "s16le:16000:1": take the input as headerless audio; empty: detect
  // A segment longer than this is cut at its quietest place, so that attention stays affordable.
  int64_t max_segment_ms = 120'000;
  int64_t max_duration_ms = int64_t{24} * 3600 * 1000;
  SearchOptions search;
  Priority priority = Priority::kBatch;
  std::optional<std::chrono::steady_clock::time_point> deadline;  // past it: DeadlineExceeded
  // Called from the recogniser's threads, never two at a time for one request and never after its on_done; must be
  // quick and must not throw.
  std::function<void(const Progress&)> progress;
  // Each segment as soon as it and all that were cut before it are recognised: by time, within a channel. Under the
  // same rules as progress, which comes after it.
  std::function<void(const Segment&)> on_segment;
};

// Audio to transcribe.
class AudioInput {
 public:
  static AudioInput File(std::string path);
  // A file that came from a stranger under the name `name`, which stands in messages and results instead of the path:
  // what is in it must be a container on the allow-list; only a name in .pcm, .raw or .g722, or raw_format, lets it be
  // headerless.
  static AudioInput Upload(std::string path, std::string name);
  // A whole encoded file in memory. `name` is for messages and results. Bytes without a container's header are 16 kHz
  // s16le, or G.722 when the name ends in .g722.
  static AudioInput Bytes(std::shared_ptr<const std::string> bytes, std::string name);
  // Decoded samples, interleaved when channels > 1, in [-1, 1].
  static AudioInput Samples(std::vector<float> samples, int sample_rate, int channels, std::string name);

  const std::string& name() const { return name_; }

 private:
  friend struct AudioInputAccess;
  enum class Kind { kFile, kDescriptor, kBytes, kSamples };

  Kind kind_ = Kind::kFile;
  std::string name_;
  std::string path_;        // kFile
  bool is_upload_ = false;  // kFile, kDescriptor
  int descriptor_ = -1;
  std::shared_ptr<const void> keep_alive_;  // what descriptor_, bytes_ or samples_ belong to
  std::span<const std::byte> bytes_;
  std::span<const float> samples_;  // interleaved
  int sample_rate_ = 0;
  int sample_channels_ = 0;
};

// One accepted request. Thread-safe.
class Transcription {
 public:
  virtual ~Transcription() = default;

  // Blocks until the result is there; any number of calls. Cancelled after Cancel, DeadlineExceeded past the deadline.
  virtual const absl::StatusOr<Transcript>& Wait() = 0;
  virtual bool done() const = 0;
  // Work that has not started will not; Wait returns Cancelled unless the result was already complete. Idempotent.
  virtual void Cancel() = 0;
};

// What a recogniser has done since its start, and has to do.
struct RecognizerStats {
  int64_t pending = 0;        // requests accepted and not finished
  double queued_seconds = 0;  // audio of segments that wait for a worker
  int64_t batches = 0;
  double batched_seconds = 0;       // audio recognised in them
  double network_seconds = 0;       // CPU time of the workers in the network
  double batch_budget_seconds = 0;  // what a batch may hold
  // Where processes do the work, which keep the figures of batches to themselves: those at work now, and how many have
  // died.
  int64_t processes = 0;
  int64_t processes_died = 0;
};

// Voice activity of a live stream; see VadEvent. Not thread-safe, one owner each; independent of every other stream.
class VadSession {
 public:
  virtual ~VadSession() = default;
  // 16 kHz mono samples in [-1, 1]. With `is_final` the stream ends and starts anew with the next call.
  virtual std::vector<VadEvent> Accept(std::span<const float> samples, bool is_final) = 0;
};

// Transcribes any number of recordings at once with one copy of the weights.
//
// Segments of all recordings share ragged batches; a result depends only on its own audio and options, never on
// threads, neighbours or order of arrival.
//
// Thread-safe: any number of threads may call any method at the same time. The destructor cancels what is pending and
// waits for its threads.
class Recognizer {
 public:
  // Loads and packs the weights, starts the threads. Errors name the file and the field.
  static absl::StatusOr<std::unique_ptr<Recognizer>> Create(const RecognizerOptions& options);
  virtual ~Recognizer() = default;

  // Blocks until done; beyond max_pending it waits for its turn.
  virtual absl::StatusOr<Transcript> Transcribe(AudioInput input, const TranscribeOptions& options = {}) = 0;

  // Accepts a request and returns at once. `on_done`, if any, is called once from a thread of the recogniser, before
  // Wait returns; it may submit more but must neither wait nor throw. ResourceExhausted beyond max_pending,
  // InvalidArgument for options out of range.
  using OnDone = std::function<void(const absl::StatusOr<Transcript>&)>;
  virtual absl::StatusOr<std::shared_ptr<Transcription>> Submit(AudioInput input, const TranscribeOptions& options = {},
                                                                OnDone on_done = nullptr) = 0;

  // Transcribes files with bounded read-ahead and calls `on_result` for each in the order given, from the calling
  // thread. A file that fails gets its status and harms no other. Stops early when `on_result` returns false.
  using OnResult = std::function<bool(size_t index, const absl::StatusOr<Transcript>&)>;
  virtual void TranscribeFiles(std::span<const std::string> files, const TranscribeOptions& options,
                               const OnResult& on_result) = 0;

  // FailedPrecondition without a VAD model.
  virtual absl::StatusOr<std::unique_ptr<VadSession>> OpenStream(const VadOptions& options) = 0;
  // Speech segments of a whole recording, one list per channel; the work is done on the calling thread.
  // FailedPrecondition without a VAD model.
  struct SpeechResult {
    int64_t duration_ms = 0;
    std::vector<std::vector<VadSegment>> channels;
  };
  virtual absl::StatusOr<SpeechResult> DetectSpeech(AudioInput input, const TranscribeOptions& options = {}) = 0;

  virtual RecognizerStats stats() const = 0;
  virtual int threads() const = 0;
  // In use by the recognition model; kF32 without one.
  virtual ComputeType compute_type() const = 0;
  // Whether the recognition model looks for its text token by token, and so takes SearchOptions other than the default.
  virtual bool takes_search_options() const { return false; }
  // What SearchOptions::language may be: codes, "en", "zh", …. None where a request does not choose the language.
  virtual std::vector<std::string> languages() const { return {}; }
  virtual bool translates() const { return false; }  // whether it takes Task::kTranslate
  // Defaults of the VAD package; VadOptions{} without one.
  virtual VadOptions default_vad_options() const = 0;
};

}  // namespace tutti
