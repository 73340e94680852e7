#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "tutti/compute_type.h"

namespace tutti {

struct BenchOptions {
  std::string model;                             // a directory; empty with `synthetic`
  bool synthetic = false;                        // paraformer-large's size with random weights
  double seconds = 10;                           // of audio in a segment
  double batch_seconds = 60;                     // of audio in a batch
  ComputeType compute_type = ComputeType::kF32;  // of encoder and asr; never kAuto
  int threads = 1;
  double duration = 3;  // measure for so many seconds of wall time, and one round at least
};

struct BenchResult {
  std::string part;   // "encoder"
  std::string model;  // what was measured
  double load_seconds = 0;
  double audio_seconds = 0;  // worked on while measuring, by all threads
  double wall_seconds = 0;
  double x_real_time = 0;
  // Floating-point operations (a multiply-add is two) of linear layers and attention, 10⁹ a second, all threads; and
  // what oneDNN reaches on the linear layers' shapes in the same run.
  ComputeType compute_type = ComputeType::kF32;  // in use
  std::optional<double> gops;
  std::optional<double> roof_gops;
};

absl::StatusOr<BenchResult> BenchFrontend(const BenchOptions& options);
absl::StatusOr<BenchResult> BenchVad(const BenchOptions& options);
absl::StatusOr<BenchResult> BenchEncoder(const BenchOptions& options);
absl::StatusOr<BenchResult> BenchAsr(const BenchOptions& options);

// With the machine, the instruction sets and the peak memory.
std::string RenderBench(const BenchResult& result, const BenchOptions& options, bool json);

}  // namespace tutti
