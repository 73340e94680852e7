#include "pool/forker.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <utility>

#include "pool/nursery.h"
#include "pool/sandbox.h"

namespace tutti {
namespace {

absl::Status MakeNurseryFor(const Channel& asker, pid_t parent, const MakeNursery& asked) {
  PoolOptions options;
  options.recognizer = asked.recognizer;
  options.worker_memory_bytes = asked.worker_memory_bytes;
  options.beat = std::chrono::milliseconds(asked.beat_ms);
  TUTTI_ASSIGN_OR_RETURN(
      const ChildProcess nursery,
      StartProcess([parent, &options](Channel front) { RunNursery(std::move(front), parent, options); }, ForkSibling));
  return asker.Send(NurseryMade{nursery.pid}, {nursery.channel.fd()});
}

[[noreturn]] void RunForker(const Channel& front, pid_t parent, const std::function<absl::Status()>& prepare) {
  IgnoreEndingSignals();
  CloseOtherFds(front.fd());
  LeaveStandardStreams();
  const absl::Status prepared = prepare();
  DieWithParent(parent);  // a change of user would make the system forget it
  while (true) {
    const absl::StatusOr<std::optional<Received>> received = front.Receive(true);
    if (!received.ok()) _exit(0);
    const auto* asked = received->has_value() ? std::get_if<MakeNursery>(&(*received)->message) : nullptr;
    if (asked == nullptr) _exit(EXIT_FAILURE);
    const absl::Status made = prepared.ok() ? MakeNurseryFor(front, parent, *asked) : prepared;
    if (made.ok()) continue;
    const NurseryFailed failed = {.code = static_cast<int64_t>(made.code()), .message = Message(made)};
    if (!front.Send(failed).ok()) _exit(0);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Forker>> Forker::Create(const std::function<absl::Status()>& prepare) {
  const pid_t self = getpid();
  TUTTI_ASSIGN_OR_RETURN(ChildProcess forker,
                         StartProcess([self, &prepare](Channel front) { RunForker(front, self, prepare); }));
  return std::unique_ptr<Forker>(new Forker(std::move(forker)));
}

Forker::~Forker() {
  {
    MutexLock lock(mu_);
    channel_.Close();
  }
  waitpid(pid_, nullptr, 0);
}

absl::StatusOr<ChildProcess> Forker::Fork(const PoolOptions& options) {
  if (options.load) return InvalidArgument("process pool: a forker loads the models that are named, and no others");
  MutexLock lock(mu_);
  const absl::Status asked = channel_.Send(MakeNursery{.recognizer = options.recognizer,
                                                       .worker_memory_bytes = options.worker_memory_bytes,
                                                       .beat_ms = options.beat.count()});
  if (absl::IsInvalidArgument(asked)) return asked;
  absl::StatusOr<std::optional<Received>> received = channel_.Receive(true);
  if (received.ok() && received->has_value()) {
    Received& answer = **received;
    if (const auto* failed = std::get_if<NurseryFailed>(&answer.message)) {
      return absl::Status(static_cast<absl::StatusCode>(failed->code), failed->message);
    }
    if (const auto* made = std::get_if<NurseryMade>(&answer.message); made != nullptr && answer.fds.size() == 1) {
      return ChildProcess{.channel = Channel(std::move(answer.fds[0])), .pid = static_cast<pid_t>(made->pid)};
    }
  }
  return Unavailable("process pool: the process that loads models anew has ended; restart the program");
}

}  // namespace tutti
