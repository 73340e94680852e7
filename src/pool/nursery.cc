#include "pool/nursery.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "engine/no_throw.h"
#include "engine/recognizer_impl.h"
#include "pool/sandbox.h"
#include "pool/worker_process.h"

namespace tutti {
namespace {

absl::Status CheckNoThreads() {
  std::error_code error;
  int threads = 0;
  for (std::filesystem::directory_iterator it("/proc/self/task", error), end; !error && it != end;
       it.increment(error)) {
    ++threads;
  }
#if defined(__SANITIZE_THREAD__)  // gcc, which builds for TSan
  --threads;                      // TSan's own
#endif
  if (threads <= 1) return absl::OkStatus();
  return FailedPrecondition("process pool: {} threads run after loading, and a process with threads cannot be forked",
                            threads);
}

sigset_t ChildSignal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  return signals;
}

class Nursery {
 public:
  Nursery(Channel front, const PoolOptions& options) : front_(std::move(front)), options_(options) {
    const sigset_t child = ChildSignal();
    sigprocmask(SIG_BLOCK, &child, nullptr);
    child_ended_ = UniqueFd(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  [[noreturn]] void Run() {
    if (const absl::Status loaded = Load(); !loaded.ok()) {
      Tell(NurseryFailed{.code = static_cast<int64_t>(loaded.code()), .message = Message(loaded)});
      _exit(EXIT_FAILURE);
    }
    Tell(NurseryReady{.model_name = parts_.model_name,
                      .compute_type = parts_.asr != nullptr ? parts_.asr->compute_type() : ComputeType::kF32,
                      .has_asr = parts_.asr != nullptr,
                      .has_vad = parts_.vad != nullptr,
                      .takes_search_options = parts_.asr != nullptr && parts_.asr->takes_search_options(),
                      .languages = parts_.asr != nullptr ? parts_.asr->languages() : std::vector<std::string>(),
                      .translates = parts_.asr != nullptr && parts_.asr->translates(),
                      .vad_options = parts_.vad != nullptr ? parts_.vad->default_options() : VadOptions{}});
    while (true) {
      std::array<pollfd, 2> fds = {{{.fd = front_.fd(), .events = POLLIN, .revents = 0},
                                    {.fd = child_ended_.get(), .events = POLLIN, .revents = 0}}};
      if (poll(fds.data(), fds.size(), -1) < 0) continue;
      if (fds[1].revents != 0) Reap();
      if (fds[0].revents != 0) HandleMessage();
    }
  }

 private:
  absl::Status Load() {
    const auto load = [this] { return options_.load ? options_.load() : LoadParts(options_.recognizer); };
    TUTTI_ASSIGN_OR_RETURN(parts_, NoThrow("process pool", load));
    malloc_trim(0);  // what loading leaves behind is nothing for workers to share
    return CheckNoThreads();
  }

  void Tell(const PoolMessage& message, const std::vector<int>& fds = {}) {
    if (!front_.Send(message, fds).ok()) End();
  }

  [[noreturn]] void End() {
    for (const auto& [worker, pid] : pids_) kill(pid, SIGKILL);
    for (const auto& [worker, pid] : pids_) waitpid(pid, nullptr, 0);
    _exit(0);
  }

  void HandleMessage() {
    const absl::StatusOr<std::optional<Received>> received = front_.Receive(false);
    if (!received.ok()) End();
    if (!received->has_value()) return;
    const PoolMessage& message = (*received)->message;
    if (const auto* fork = std::get_if<ForkWorker>(&message)) {
      if (const absl::Status forked = Fork(*fork); !forked.ok()) {
        Tell(WorkerEnded{.worker = fork->worker, .error = Message(forked)});
      }
    } else if (const auto* doomed = std::get_if<KillWorker>(&message)) {
      if (const auto found = pids_.find(doomed->worker); found != pids_.end()) kill(found->second, SIGKILL);
    }
  }

  absl::Status Fork(const ForkWorker& asked) {
    TUTTI_ASSIGN_OR_RETURN(auto ends, Channel::Pair());
    auto& [ours, theirs] = ends;
    std::array<int, 2> log = {};
    // The worker never waits for someone to read what it says.
    if (pipe2(log.data(), O_CLOEXEC | O_NONBLOCK) != 0) return ResourceExhausted("pipe: {}", std::strerror(errno));
    UniqueFd log_out(log[0]), log_in(log[1]);
    const pid_t self = getpid();
    const pid_t pid = fork();
    if (pid < 0) return ResourceExhausted("cannot fork: {}", std::strerror(errno));
    if (pid == 0) {
      const sigset_t child = ChildSignal();
      sigprocmask(SIG_UNBLOCK, &child, nullptr);
      child_ended_.Reset();
      front_.Close();
      ours.Close();
      log_out.Reset();
      RunWorker(std::move(theirs), std::move(log_in), self, static_cast<int>(asked.slot), options_, parts_);
    }
    pids_[asked.worker] = pid;
    Tell(WorkerBorn{.worker = asked.worker, .pid = pid}, {ours.fd(), log_out.get()});
    return absl::OkStatus();
  }

  void Reap() {
    signalfd_siginfo info = {};
    while (read(child_ended_.get(), &info, sizeof(info)) > 0) continue;
    int status = 0;
    rusage usage = {};
    for (pid_t pid = 0; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
      for (auto it = pids_.begin(); it != pids_.end(); ++it) {
        if (it->second != pid) continue;
        Tell(WorkerEnded{
            .worker = it->first, .wait_status = status, .peak_bytes = usage.ru_maxrss * int64_t{1024}, .error = ""});
        pids_.erase(it);
        break;
      }
    }
  }

  Channel front_;
  const PoolOptions& options_;
  UniqueFd child_ended_;
  RecognizerParts parts_;
  std::map<int64_t, pid_t> pids_;  // by worker
};

}  // namespace

void RunNursery(Channel front, pid_t parent, const PoolOptions& options) {
  DieWithParent(parent);
  IgnoreEndingSignals();
  CloseOtherFds(front.fd());
  LeaveStandardStreams();
  Nursery(std::move(front), options).Run();
}

absl::StatusOr<ChildProcess> ForkNursery(const PoolOptions& options) {
  const pid_t self = getpid();
  return StartProcess([self, &options](Channel front) { RunNursery(std::move(front), self, options); });
}

}  // namespace tutti
