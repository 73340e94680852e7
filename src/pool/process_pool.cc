#include "pool/process_pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <system_error>
#include <utility>

#include "base/cpu_affinity.h"
#include "engine/detect_speech.h"
#include "engine/in_flight.h"
#include "engine/recognizer_impl.h"
#include "models/vad_state_machine.h"
#include "pool/forker.h"
#include "pool/nursery.h"

namespace tutti {
namespace {

constexpr int kMaxProcesses = 256, kMaxRetries = 1000;

absl::StatusOr<PoolOptions> Complete(PoolOptions options) {
  options.recognizer.threads = std::max(options.recognizer.threads, 1);
  if (options.processes == 0) {
    TUTTI_ASSIGN_OR_RETURN(const std::vector<int> cpus, AllowedCpus());
    options.processes = std::clamp(static_cast<int>(cpus.size()) / options.recognizer.threads, 1, kMaxProcesses);
  }
  if (options.processes < 1 || options.processes > kMaxProcesses) {
    return InvalidArgument("processes: {}, expected 0 … {}", options.processes, kMaxProcesses);
  }
  if (options.retries < 0 || options.retries > kMaxRetries) {
    return InvalidArgument("retries: {}, expected 0 … {}", options.retries, kMaxRetries);
  }
  if (options.worker_memory_bytes < 0) {
    return InvalidArgument("worker_memory_bytes: {}, expected ≥ 0", options.worker_memory_bytes);
  }
  if (options.recognizer.max_pending <= 0) {
    return InvalidArgument("max_pending: {}, expected > 0", options.recognizer.max_pending);
  }
  if (options.recycle_recordings < 0 || options.recycle_age.count() < 0 || options.recycle_resident_bytes < 0) {
    return InvalidArgument("recycle_recordings: {}, recycle_age: {} ms, recycle_resident_bytes: {}, expected ≥ 0",
                           options.recycle_recordings, options.recycle_age.count(), options.recycle_resident_bytes);
  }
  if (options.max_deaths_in_a_row == 0) {
    options.max_deaths_in_a_row = std::max(20, 4 * (options.retries + 1) * options.processes);
  }
  return options;
}

// Ends within a moment, or is made to.
void Reap(pid_t pid) {
  constexpr auto kPatience = std::chrono::seconds(5);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (waitpid(pid, nullptr, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// While one lives, signals are blocked in its thread and in those that it starts: they are the caller's business.
class BlockSignals {
 public:
  BlockSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~BlockSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;

 private:
  sigset_t before_{};
};

absl::StatusOr<NurseryReady> AwaitModels(const Channel& nursery, pid_t pid) {
  const absl::StatusOr<std::optional<Received>> received = nursery.Receive(true);
  if (received.ok() && received->has_value()) {
    if (const auto* ready = std::get_if<NurseryReady>(&(*received)->message)) return *ready;
    if (const auto* failed = std::get_if<NurseryFailed>(&(*received)->message)) {
      Reap(pid);
      return absl::Status(static_cast<absl::StatusCode>(failed->code), failed->message);
    }
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return Unavailable("process pool: the process that loads the models {}", DescribeEnd(status));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessPool>> ProcessPool::Create(PoolOptions given, Forker* forker) {
  TUTTI_ASSIGN_OR_RETURN(const PoolOptions options, Complete(std::move(given)));
  TUTTI_ASSIGN_OR_RETURN(ChildProcess nursery, forker != nullptr ? forker->Fork(options) : ForkNursery(options));
  TUTTI_ASSIGN_OR_RETURN(NurseryReady models, AwaitModels(nursery.channel, nursery.pid));
  Supervisor::NurseryMaker again;
  if (forker != nullptr) again = [forker, options] { return forker->Fork(options); };
  std::unique_ptr<ProcessPool> pool(new ProcessPool(options, std::move(models), std::move(nursery), std::move(again)));
  TUTTI_RETURN_IF_ERROR(pool->Start());
  return pool;
}

ProcessPool::ProcessPool(const PoolOptions& options, NurseryReady models, ChildProcess nursery,
                         Supervisor::NurseryMaker make_nursery)
    : options_(options),
      models_(std::move(models)),
      requests_(std::make_shared<RequestTable>(options.recognizer.max_pending)),
      supervisor_(std::move(nursery), models_, options, std::move(make_nursery)) {}

absl::Status ProcessPool::Start() {
  // Before there are threads: what goes wrong here leaves nothing but the nursery.
  if (options_.streams && !options_.recognizer.vad.empty()) {
    TUTTI_ASSIGN_OR_RETURN(RecognizerParts parts, LoadParts({.model = "", .vad = options_.recognizer.vad}));
    stream_vad_ = std::move(parts.vad);
  }
  const BlockSignals signals;
  try {
    requests_->Start([this] { supervisor_.DropStopped(); });
    supervising_ = std::thread([this] { supervisor_.Run(); });
  } catch (const std::system_error& e) {
    return ResourceExhausted("process pool: cannot start its threads: {}", e.what());
  }
  return absl::OkStatus();
}

ProcessPool::~ProcessPool() {
  requests_->Close();
  supervisor_.Stop();
  if (supervising_.joinable()) {
    supervising_.join();
  } else {
    kill(nursery_pid(), SIGKILL);
  }
  Reap(nursery_pid());
}

absl::StatusOr<std::shared_ptr<Request>> ProcessPool::Accept(bool wait, AudioInput input,
                                                             const TranscribeOptions& options, OnDone on_done,
                                                             bool only_speech) {
  if (only_speech ? !models_.has_vad : !models_.has_asr) {
    return FailedPrecondition("{}: no {} model is loaded", input.name(), only_speech ? "VAD" : "recognition");
  }
  TUTTI_RETURN_IF_ERROR(CheckTranscribeOptions(options));
  TUTTI_ASSIGN_OR_RETURN(auto request, requests_->Admit(wait,
                                                        {.name = input.name(),
                                                         .model = models_.model_name,
                                                         .compute_type = std::string(Name(models_.compute_type))},
                                                        options, std::move(on_done), options_.recognizer.sync_points));
  supervisor_.Add(request, std::move(input), only_speech);
  return request;
}

absl::StatusOr<Transcript> ProcessPool::Transcribe(AudioInput input, const TranscribeOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(const auto request, Accept(true, std::move(input), options, nullptr));
  return request->Wait();
}

absl::StatusOr<std::shared_ptr<Transcription>> ProcessPool::Submit(AudioInput input, const TranscribeOptions& options,
                                                                   OnDone on_done) {
  return Accept(false, std::move(input), options, std::move(on_done));
}

void ProcessPool::TranscribeFiles(std::span<const std::string> files, const TranscribeOptions& options,
                                  const OnResult& on_result) {
  const auto read_ahead = size_t{64} + 32 * static_cast<size_t>(options_.processes);
  InFlight in_flight;
  for (size_t next = 0, done = 0; done < files.size(); ++done) {
    for (; next < files.size() && in_flight.size() < read_ahead; ++next) {
      in_flight.Add(Accept(true, AudioInput::File(files[next]), options, nullptr));
    }
    if (!in_flight.Finish([&](const auto& result) { return on_result(done, result); })) return;
  }
}

absl::StatusOr<std::unique_ptr<VadSession>> ProcessPool::OpenStream(const VadOptions& options) {
  if (!options_.streams) return Unimplemented("OpenStream: a process pool has no models in this process");
  if (stream_vad_ == nullptr) return FailedPrecondition("OpenStream: no VAD model is loaded");
  return OpenVadSession(stream_vad_, options, options_.recognizer.sync_points);
}

absl::StatusOr<Recognizer::SpeechResult> ProcessPool::DetectSpeech(AudioInput input, const TranscribeOptions& options) {
  constexpr int kMostChannels = 1024;
  const std::string name = input.name();
  TUTTI_ASSIGN_OR_RETURN(const auto request, Accept(true, std::move(input), options, nullptr, true));
  TUTTI_ASSIGN_OR_RETURN(const Transcript found, request->Wait());
  if (found.channels < 0 || found.channels > kMostChannels) {
    return DataLoss("{}: {} channels from a process, expected 0 … {}", name, found.channels, kMostChannels);
  }
  SpeechResult speech;
  speech.duration_ms = found.duration_ms;
  speech.channels.resize(static_cast<size_t>(found.channels));
  for (const Segment& segment : found.segments) {
    if (segment.channel < 0 || segment.channel >= found.channels) {
      return DataLoss("{}: speech in channel {} from a process, there are {}", name, segment.channel, found.channels);
    }
    speech.channels[static_cast<size_t>(segment.channel)].push_back({segment.start_ms, segment.end_ms});
  }
  return speech;
}

RecognizerStats ProcessPool::stats() const {
  const PoolStats pool = pool_stats();
  return {.pending = requests_->pending(),
          .processes = static_cast<int64_t>(pool.pids.size()),
          .processes_died = pool.died};
}

int ProcessPool::threads() const { return options_.processes * options_.recognizer.threads; }

}  // namespace tutti
