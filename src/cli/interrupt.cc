#include "cli/interrupt.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>

#include "cli/exit_codes.h"

namespace tutti {
namespace {

sigset_t EndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

int BlockAndOpen() {
  const sigset_t signals = EndingSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

void Raise(int event_fd) {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(event_fd, &one, sizeof(one));
}

}  // namespace

Interrupt::Interrupt()
    : signal_fd_(BlockAndOpen()),
      requested_fd_(eventfd(0, EFD_CLOEXEC)),
      stop_fd_(eventfd(0, EFD_CLOEXEC)),
      watcher_([this] { Watch(); }) {}

Interrupt::~Interrupt() {
  Raise(stop_fd_);
  watcher_.join();
  for (const int fd : {signal_fd_, requested_fd_, stop_fd_}) close(fd);
  const sigset_t signals = EndingSignals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void Interrupt::Watch() {
  while (true) {
    std::array<pollfd, 2> fds = {
        {{.fd = signal_fd_, .events = POLLIN, .revents = 0}, {.fd = stop_fd_, .events = POLLIN, .revents = 0}}};
    if (poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info = {};
    if (read(signal_fd_, &info, sizeof(info)) != sizeof(info)) continue;
    if (requested_.exchange(true)) _exit(kExitInterrupted);
    Raise(requested_fd_);
  }
}

}  // namespace tutti
