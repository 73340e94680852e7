#include "pool/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "base/cpu_affinity.h"
#include "base/mutex.h"
#include "base/sync_point.h"
#include "engine/audio_input.h"
#include "engine/recognizer_impl.h"
#include "pool/job_sheet.h"
#include "pool/sandbox.h"

namespace tutti {
namespace {

[[noreturn]] void Die(int code, std::string_view why) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, why.data(), why.size());
  _exit(code);
}

void OutOfMemory() { Die(kOutOfMemoryExit, "out of memory\n"); }

// With --pin each process has its own share of the CPUs.
void TakeShareOfCpus(int slot, int threads) {
  const auto allowed = AllowedCpus();
  if (!allowed.ok()) return;
  cpu_set_t share;
  CPU_ZERO(&share);
  for (int i = 0; i < threads; ++i) {
    CPU_SET((*allowed)[static_cast<size_t>(slot * threads + i) % allowed->size()], &share);
  }
  sched_setaffinity(0, sizeof(share), &share);  // refused: Pin tells
}

// Does what the front asks for. The socket is read by the main thread, which gives the signs of life; the recogniser's
// threads send what they have finished.
class WorkerProcess {
 public:
  WorkerProcess(Channel channel, UniqueFd statm, std::unique_ptr<Recognizer> recognizer, SyncPoints* sync_points)
      : channel_(std::move(channel)),
        statm_(std::move(statm)),
        sync_points_(sync_points),
        recognizer_(std::move(recognizer)) {}

  [[noreturn]] void Run(std::chrono::milliseconds beat) {
    while (true) {
      Send(WorkerBeat{ResidentBytes()});
      const auto next_beat = std::chrono::steady_clock::now() + beat;
      for (auto left = beat; left.count() > 0;
           left = std::chrono::duration_cast<std::chrono::milliseconds>(next_beat - std::chrono::steady_clock::now())) {
        pollfd readable = {.fd = channel_.fd(), .events = POLLIN, .revents = 0};
        if (poll(&readable, 1, static_cast<int>(left.count())) > 0) HandleMessage();
      }
    }
  }

  void Send(const PoolMessage& message) TUTTI_EXCLUDES(send_mu_) {
    MutexLock lock(send_mu_);
    if (!channel_.Send(message).ok()) _exit(0);  // the front is gone
  }

 private:
  // What is known of a job until it is done. Its functions are called one at a time.
  struct Job {
    int64_t id = 0;
    std::unique_ptr<JobSheet> sheet;
  };

  void HandleMessage() {
    absl::StatusOr<std::optional<Received>> received = channel_.Receive(false);
    if (absl::IsUnavailable(received.status())) _exit(0);
    if (!received.ok()) Die(EXIT_FAILURE, Message(received.status()) + "\n");
    if (!received->has_value()) return;
    if (auto* start = std::get_if<StartJob>(&(*received)->message); start != nullptr && (*received)->fds.size() == 2) {
      return Start(*start, std::move((*received)->fds));
    }
    if (const auto* cancel = std::get_if<CancelJob>(&(*received)->message)) {
      if (const auto found = running_.find(cancel->job); found != running_.end()) {
        if (const auto handle = found->second.lock()) handle->Cancel();
      }
      return;
    }
    Die(EXIT_FAILURE, "a message that is not for a worker\n");
  }

  void Start(StartJob& start, std::vector<UniqueFd> fds) {
    ReachSyncPoint(sync_points_, "WorkerProcess:started");
    auto sheet = JobSheet::Adopt(std::move(fds[0]));
    if (!sheet.ok()) Die(kOutOfMemoryExit, Message(sheet.status()) + "\n");
    const auto job = std::make_shared<Job>(Job{.id = start.job, .sheet = *std::move(sheet)});
    auto input = ToInput(start, std::move(fds[1]));
    if (!input.ok()) return Finish(*job, input.status());
    start.options.progress = [job](const Progress& progress) { job->sheet->SetProgress(progress); };
    if (start.only_speech) return DetectSpeech(job, *std::move(input), start.options);
    if (start.tell_segments) {
      start.options.on_segment = [this, job](const Segment& segment) {
        const std::string bytes = EncodeSegment(segment);
        if (const auto offset = job->sheet->Append(bytes); offset.ok()) {
          Send(SegmentReady{.job = job->id, .offset = *offset, .size = static_cast<int64_t>(bytes.size())});
        }
      };
    }
    auto handle = recognizer_->Submit(*std::move(input), start.options,
                                      [this, job](const absl::StatusOr<Transcript>& result) { Finish(*job, result); });
    if (!handle.ok()) return Finish(*job, handle.status());
    std::erase_if(running_, [](const auto& entry) { return entry.second.expired(); });
    running_[start.job] = *handle;
  }

  // On a thread of its own, since this one must give signs of life. How many there are at a time is the front's to say.
  void DetectSpeech(const std::shared_ptr<Job>& job, AudioInput input, const TranscribeOptions& options) {
    const auto detect = [this, job, input = std::move(input), options] {
      Finish(*job, AsTranscript(recognizer_->DetectSpeech(input, options)));
    };
    try {
      std::thread(detect).detach();
    } catch (const std::system_error& e) {
      Finish(*job, ResourceExhausted("cannot start a thread: {}", e.what()));
    }
  }

  static absl::StatusOr<Transcript> AsTranscript(const absl::StatusOr<Recognizer::SpeechResult>& speech) {
    if (!speech.ok()) return speech.status();
    Transcript transcript;
    transcript.duration_ms = speech->duration_ms;
    transcript.channels = static_cast<int>(speech->channels.size());
    for (int channel = 0; channel < transcript.channels; ++channel) {
      for (const VadSegment& found : speech->channels[static_cast<size_t>(channel)]) {
        Segment& segment = transcript.segments.emplace_back();
        segment.start_ms = found.start_ms;
        segment.end_ms = found.end_ms;
        segment.channel = channel;
      }
    }
    return transcript;
  }

  static absl::StatusOr<AudioInput> ToInput(const StartJob& start, UniqueFd fd) {
    if (start.audio == AudioKind::kFile || start.audio == AudioKind::kUpload) {
      return AudioInputAccess::Descriptor(std::move(fd), start.name, start.audio == AudioKind::kUpload);
    }
    TUTTI_ASSIGN_OR_RETURN(const SharedBytes shared, MapShared(fd.get(), start.bytes));
    if (start.audio == AudioKind::kBytes) return AudioInputAccess::Memory(shared.bytes, shared.keep_alive, start.name);
    const std::span samples(reinterpret_cast<const float*>(shared.bytes.data()), shared.bytes.size() / sizeof(float));
    return AudioInputAccess::Samples(samples, shared.keep_alive, start.sample_rate, start.sample_channels, start.name);
  }

  void Finish(const Job& job, const absl::StatusOr<Transcript>& result) {
    // Whoever took the memory, an innocent neighbour may be the one to miss it: begin afresh.
    if (absl::IsResourceExhausted(result.status())) Die(kOutOfMemoryExit, Message(result.status()) + "\n");
    const std::string bytes = EncodeResult(result);
    const auto offset = job.sheet->Append(bytes);
    if (!offset.ok()) Die(kOutOfMemoryExit, Message(offset.status()) + "\n");
    ReachSyncPoint(sync_points_, "WorkerProcess:result_written");
    Send(JobDone{.job = job.id, .offset = *offset, .size = static_cast<int64_t>(bytes.size())});
    ReachSyncPoint(sync_points_, "WorkerProcess:result_sent");
  }

  int64_t ResidentBytes() const {
    std::array<char, 128> text = {};
    if (pread(statm_.get(), text.data(), text.size() - 1, 0) <= 0) return 0;
    char* rest = nullptr;
    std::strtoll(text.data(), &rest, 10);
    return std::strtoll(rest, nullptr, 10) * sysconf(_SC_PAGESIZE);
  }

  const Channel channel_;
  const UniqueFd statm_;
  SyncPoints* const sync_points_;
  Mutex send_mu_;                                            // keeps senders apart
  std::map<int64_t, std::weak_ptr<Transcription>> running_;  // the main thread's
  const std::unique_ptr<Recognizer> recognizer_;
};

}  // namespace

void RunWorker(Channel channel, UniqueFd log, pid_t parent, int slot, const PoolOptions& options,
               const RecognizerParts& parts) {
  DieWithParent(parent);
  dup2(log.get(), STDERR_FILENO);
  log.Reset();
  std::set_new_handler(OutOfMemory);
  UniqueFd statm(open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  RecognizerOptions own = options.recognizer;
  own.max_pending = 1'000'000;  // the front keeps the bound
  if (own.pin_threads) TakeShareOfCpus(slot, own.threads);
  if (const absl::Status limited = LimitResources(options.worker_memory_bytes); !limited.ok()) {
    Die(EXIT_FAILURE, Message(limited) + "\n");
  }
  const absl::Status sandboxed = ForbidSystemCalls();
  auto recognizer = CreateRecognizer(own, parts);
  if (!recognizer.ok()) Die(EXIT_FAILURE, Message(recognizer.status()) + "\n");
  WorkerProcess worker(std::move(channel), std::move(statm), *std::move(recognizer), own.sync_points);
  worker.Send(WorkerUp{sandboxed.ok()});
  worker.Run(options.beat);
}

}  // namespace tutti
