#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>

#include "base/status.h"
#include "engine/request_table.h"
#include "pool/child_process.h"
#include "pool/pool_options.h"
#include "pool/supervisor.h"
#include "tutti/recognizer.h"

namespace tutti {

class Forker;

// A recogniser whose work is done in other processes, so that what ends one of them costs a retry and nothing else:
// a decoder's bug, a recording that is made to crash it, the system's want of memory.
//
//   front    this process: Submit, hand-out, supervision, results
//   nursery  forked by Create: loads the models once, has no threads, forks the workers; they share its weights
//   workers  a recogniser each, with threads of its own; decode, detect speech, recognise; may open nothing
//
// A recording's result is that of a Recognizer over the same models, to the last bit. One that ends its worker is tried
// again, alone, and given up with Internal after PoolOptions::retries; the message tells signal or want of memory,
// stage and last words. When the nursery dies, a forker makes another: what is pending waits for it, and fails with
// Unavailable only when it does not come up. Without a forker, or when workers die without end, everything pending and
// everything submitted later fails with Unavailable. A file must be a regular one: it may have to be read twice.
//
// Thread-safe like every Recognizer. All processes end with the thread that called Create, or with the
// forker's, or before: let it be one that outlives the pool.
class ProcessPool final : public Recognizer {
 public:
  // Forks, so no other thread may run in this process, unless there is a forker to do it, which must outlive the pool.
  // Returns when the models are loaded, with their error if they are not; workers come up meanwhile.
  static absl::StatusOr<std::unique_ptr<ProcessPool>> Create(PoolOptions options, Forker* forker = nullptr);
  ~ProcessPool() override;

  absl::StatusOr<Transcript> Transcribe(AudioInput input, const TranscribeOptions& options) override;
  absl::StatusOr<std::shared_ptr<Transcription>> Submit(AudioInput input, const TranscribeOptions& options,
                                                        OnDone on_done) override;
  void TranscribeFiles(std::span<const std::string> files, const TranscribeOptions& options,
                       const OnResult& on_result) override;
  // Unimplemented without PoolOptions::streams: a stream belongs to a process that has the VAD model.
  absl::StatusOr<std::unique_ptr<VadSession>> OpenStream(const VadOptions& options) override;
  // Done by a worker; this thread waits.
  absl::StatusOr<SpeechResult> DetectSpeech(AudioInput input, const TranscribeOptions& options) override;

  RecognizerStats stats() const override;
  int threads() const override;  // of all processes
  ComputeType compute_type() const override { return models_.compute_type; }
  bool takes_search_options() const override { return models_.takes_search_options; }
  std::vector<std::string> languages() const override { return models_.languages; }
  bool translates() const override { return models_.translates; }
  VadOptions default_vad_options() const override { return models_.vad_options; }

  PoolStats pool_stats() const { return supervisor_.stats(); }
  pid_t nursery_pid() const { return static_cast<pid_t>(pool_stats().nursery_pid); }

 private:
  ProcessPool(const PoolOptions& options, NurseryReady models, ChildProcess nursery,
              Supervisor::NurseryMaker make_nursery);

  absl::Status Start();
  absl::StatusOr<std::shared_ptr<Request>> Accept(bool wait, AudioInput input, const TranscribeOptions& options,
                                                  OnDone on_done, bool only_speech = false);

  const PoolOptions options_;
  const NurseryReady models_;
  const std::shared_ptr<RequestTable> requests_;
  std::shared_ptr<const FsmnVad> stream_vad_;  // Start's; constant after it
  Supervisor supervisor_;
  std::thread supervising_;
};

}  // namespace tutti
