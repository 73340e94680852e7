#include "cli/standard_input.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace tutti {

absl::StatusOr<std::shared_ptr<const std::string>> ReadStandardInput(const Interrupt& interrupt, int64_t max_bytes) {
  auto bytes = std::make_shared<std::string>();
  std::vector<char> piece(size_t{1} << 16);
  while (true) {
    std::array<pollfd, 2> fds = {
        {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}, {.fd = interrupt.fd(), .events = POLLIN, .revents = 0}}};
    if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) {
      return absl::UnavailableError(fmt::format("standard input: {}", std::strerror(errno)));
    }
    if (interrupt.requested()) return absl::CancelledError("standard input: interrupted");
    if (fds[0].revents == 0) continue;
    const ssize_t count = read(STDIN_FILENO, piece.data(), piece.size());
    if (count == 0) return bytes;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::UnavailableError(fmt::format("standard input: {}", std::strerror(errno)));
    bytes->append(piece.data(), static_cast<size_t>(count));
    if (static_cast<int64_t>(bytes->size()) > max_bytes) {
      return InvalidArgument("standard input: more than {} bytes; use a file", max_bytes);
    }
  }
}

}  // namespace tutti
