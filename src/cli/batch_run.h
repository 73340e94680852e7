#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/inputs.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/result_writer.h"

namespace tutti {

// What one recording came to.
struct Outcome {
  absl::Status status;             // Cancelled: it was stopped on our own request
  std::vector<std::string> texts;  // one a format
  int64_t audio_ms = 0;
  int attempts = 1;  // how often it was tried in this run
};

// What a command does to each recording.
//
// Start and CancelAll are called from one thread; `done` may be called from any, once, also after CancelAll.
class RecordingJob {
 public:
  using Done = std::function<void(Outcome)>;
  virtual ~RecordingJob() = default;

  virtual void Start(size_t index, const Input& input, Done done) = 0;
  // Recordings that were started end soon, with a result or as Cancelled.
  virtual void CancelAll() = 0;
  // Audio that was worked on in recordings that are not finished yet, beside what Outcome tells later. Thread-safe.
  virtual int64_t audio_ms_in_progress() const = 0;
};

class BatchJob;

struct BatchOptions {
  bool fail_fast = false;
  size_t max_started = 256;  // recordings started and not finished
  // What stands in for a failed recording on standard output.
  std::function<std::string(std::string_view file, const absl::Status&)> failure_text;
  BatchJob* job = nullptr;  // what earlier runs did, and where this one is kept; may be null
};

struct FailedInput {
  std::string file;
  absl::Status status;
};

struct BatchResult {
  RunState state;
  std::vector<FailedInput> failed;  // in the order of the inputs
  bool interrupted = false;
  absl::Status output;  // not OK: standard output is gone, or a job's journal or output files cannot be written
};

// Sends all inputs through the job and its results to the writer, until all are done, the first failure with fail_fast,
// or an interrupt. Returns once nothing is running any more.
BatchResult RunBatch(std::span<const Input> inputs, RecordingJob& job, ResultWriter& writer, ProgressDisplay& display,
                     const Interrupt& interrupt, const BatchOptions& options);

}  // namespace tutti
