#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "pool/message.h"

namespace tutti {

// A message with the descriptors that came with it.
struct Received {
  PoolMessage message;
  std::vector<UniqueFd> fds;
};

// One end of a Unix socket pair that keeps the bounds of messages. Not thread-safe, but one thread may send while
// another receives.
class Channel {
 public:
  Channel() = default;
  explicit Channel(UniqueFd fd) : fd_(std::move(fd)) {}
  // ResourceExhausted when the system has no more descriptors.
  static absl::StatusOr<std::pair<Channel, Channel>> Pair();

  explicit operator bool() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }
  void Close() { fd_.Reset(); }

  // Waits for room, or with `wait` false gives ResourceExhausted. Unavailable when the other end is gone,
  // InvalidArgument for a message that is too long.
  absl::Status Send(const PoolMessage& message, const std::vector<int>& fds = {}, bool wait = true) const;
  // The next message; nothing, when `wait` is false and there is none. Unavailable when the other end is gone, DataLoss
  // for what is no message.
  absl::StatusOr<std::optional<Received>> Receive(bool wait) const;

 private:
  UniqueFd fd_;
};

}  // namespace tutti
