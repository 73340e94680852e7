#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "tutti/recognizer.h"

namespace tutti {

// What the processes of a pool tell each other over their sockets. Audio and results are not among it: they go through
// memory that both ends have (job_sheet.h), and files as descriptors.

// Nursery → front, first of all: it has the models, or why not.
struct NurseryReady {
  std::string model_name;
  ComputeType compute_type = ComputeType::kF32;
  bool has_asr = false;
  bool has_vad = false;
  bool takes_search_options = false;
  std::vector<std::string> languages = {};
  bool translates = false;
  VadOptions vad_options;  // defaults of the VAD package
};
struct NurseryFailed {
  int64_t code = 0;  // of absl::StatusCode
  std::string message;
};
// Nursery → front. WorkerBorn carries two descriptors: the worker's socket and what it writes to standard error.
struct WorkerBorn {
  int64_t worker = 0;
  int64_t pid = 0;
};
struct WorkerEnded {
  int64_t worker = 0;
  int64_t wait_status = 0;  // as of waitpid
  int64_t peak_bytes = 0;   // of resident memory
  std::string error;        // not empty: it could not be started
};

// Front → nursery.
struct ForkWorker {
  int64_t worker = 0;
  int64_t slot = 0;  // 0 … processes - 1: which of the pool's places it takes
};
struct KillWorker {
  int64_t worker = 0;
};

// Front → worker. StartJob carries two descriptors: the job's sheet, and the file or the memory with the audio.
enum class AudioKind { kFile, kUpload, kBytes, kSamples };
struct StartJob {
  int64_t job = 0;
  AudioKind audio = AudioKind::kFile;
  int64_t bytes = 0;  // of kBytes, kSamples
  int sample_rate = 0;
  int sample_channels = 0;
  std::string name;
  bool tell_segments = false;
  bool only_speech = false;   // finds speech: the result's segments have no text
  TranscribeOptions options;  // without functions and deadline
};
struct CancelJob {
  int64_t job = 0;
};

// Worker → front.
struct WorkerUp {
  bool sandboxed = false;  // the system calls it does not need are forbidden to it
};
struct WorkerBeat {
  int64_t resident_bytes = 0;
};
// A finished segment, or the result, lies in the job's sheet.
struct SegmentReady {
  int64_t job = 0;
  int64_t offset = 0, size = 0;
};
struct JobDone {
  int64_t job = 0;
  int64_t offset = 0, size = 0;
};

// Front → forker, and back; NurseryFailed is the other answer. NurseryMade carries the socket to the nursery.
struct MakeNursery {
  RecognizerOptions recognizer;  // without max_pending and sync_points
  int64_t worker_memory_bytes = 0;
  int64_t beat_ms = 0;
};
struct NurseryMade {
  int64_t pid = 0;
};

using PoolMessage = std::variant<NurseryReady, NurseryFailed, WorkerBorn, WorkerEnded, ForkWorker, KillWorker, StartJob,
                                 CancelJob, WorkerUp, WorkerBeat, SegmentReady, JobDone, MakeNursery, NurseryMade>;

inline constexpr size_t kMaxMessageBytes = 64 << 10;

// Version, type, length, fields. InvalidArgument beyond kMaxMessageBytes: a name or an option is too long.
absl::StatusOr<std::string> EncodeMessage(const PoolMessage& message);
// DataLoss says what is wrong with the bytes.
absl::StatusOr<PoolMessage> DecodeMessage(std::span<const std::byte> bytes);

// Segments and results, as a job's sheet holds them: to the last bit.
std::string EncodeSegment(const Segment& segment);
absl::StatusOr<Segment> DecodeSegment(std::span<const std::byte> bytes);
std::string EncodeResult(const absl::StatusOr<Transcript>& result);
// The result, or DataLoss in place of one that is none. `*decoded` tells the two errors apart.
absl::StatusOr<Transcript> DecodeResult(std::span<const std::byte> bytes, bool* decoded);

}  // namespace tutti
