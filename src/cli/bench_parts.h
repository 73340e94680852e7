#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/bench_lengths.h"
#include "cli/bench_loop.h"
#include "models/sanm_encoder.h"
#include "models/synthetic.h"
#include "tutti/compute_type.h"

namespace tutti {

constexpr uint64_t kBenchSeed = 1;  // of synthetic weights

struct BenchOptions {
  std::string model;                             // a directory; empty with `synthetic`
  std::string vad;                               // of pipeline; empty: every recording is one segment
  std::optional<SyntheticDims> synthetic;        // random weights of this size
  double seconds = 10;                           // of audio in a segment of frontend and vad
  int64_t chunk_ms = 0;                          // of vad: audio that comes at a time; 0: all at once
  LengthMix lengths = LengthMix::Fixed(10);      // of a recording (asr, pipeline) or segment (encoder)
  std::string lengths_text = "fixed:10";         // as printed
  double batch_seconds = 60;                     // of audio in a batch
  std::optional<double> audio_seconds;           // in a round of asr and pipeline; none: two batches a thread
  int64_t in_flight = 0;                         // recordings of asr and pipeline at the same time; 0: all
  ComputeType compute_type = ComputeType::kF32;  // of encoder, asr and pipeline
  int threads = 1;
  bool pin = false;      // of asr and pipeline
  bool latency = false;  // the same
  double duration = 3;   // measure for so many seconds of wall time, and one round at least
};

// Where the engine's CPU time went, in seconds of all threads.
struct StageSeconds {
  double decode = 0, vad = 0, features = 0, recognise = 0;
};

struct BenchResult {
  std::string part;   // "encoder"
  std::string model;  // what was measured
  double load_seconds = 0;
  double audio_seconds = 0;  // worked on while measuring, by all threads
  double wall_seconds = 0;
  double x_real_time = 0;
  ComputeType compute_type = ComputeType::kF32;  // in use
  // The encoder's floating-point operations (a multiply-add is two) in linear layers and attention, 10⁹ a second, all
  // threads; and what oneDNN reaches on the linear layers' shapes in the same run.
  std::optional<double> gops;
  std::optional<double> roof_gops;
  // Of asr and pipeline.
  std::optional<double> speech_seconds;  // of audio_seconds, what reached the network
  std::optional<StageSeconds> stages;
  std::vector<double> latencies;  // of each recording, from Submit to the result, in seconds
};

absl::StatusOr<BenchResult> BenchFrontend(const BenchOptions& options);
absl::StatusOr<BenchResult> BenchVad(const BenchOptions& options);
absl::StatusOr<BenchResult> BenchEncoder(const BenchOptions& options);
// Samples to text through the engine.
absl::StatusOr<BenchResult> BenchAsr(const BenchOptions& options);
// Encoded files in memory to text: decoding and, with `vad`, speech detection too.
absl::StatusOr<BenchResult> BenchPipeline(const BenchOptions& options);

BenchResult FromLoop(std::string part, const LoopRate& rate, double audio_seconds_a_round);

// Operations a second that oneDNN reaches on the encoder's linear layers with `rows` rows, all threads at once, each
// shape by its share of the work.
double LinearRoof(const SanmEncoderOptions& encoder, int64_t rows, int threads);

}  // namespace tutti
