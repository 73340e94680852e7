#include "pool/channel.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace tutti {
namespace {

constexpr size_t kMaxFds = 2;

union Control {  // aligned as the system wants it
  cmsghdr header;
  std::array<char, CMSG_SPACE(kMaxFds * sizeof(int))> bytes;
};

std::vector<UniqueFd> TakeFds(msghdr& message) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    for (size_t i = 0; i < (part->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
  return fds;
}

}  // namespace

absl::StatusOr<std::pair<Channel, Channel>> Channel::Pair() {
  std::array<int, 2> ends = {};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return ResourceExhausted("cannot make a pair of sockets: {}", std::strerror(errno));
  }
  return std::pair(Channel(UniqueFd(ends[0])), Channel(UniqueFd(ends[1])));
}

absl::Status Channel::Send(const PoolMessage& message, const std::vector<int>& fds, bool wait) const {
  TUTTI_ASSIGN_OR_RETURN(std::string bytes, EncodeMessage(message));
  iovec part = {.iov_base = bytes.data(), .iov_len = bytes.size()};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  Control control = {};
  if (!fds.empty()) {
    header.msg_control = control.bytes.data();
    header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  }
  ssize_t sent = -1;
  do {
    sent = sendmsg(fd_.get(), &header, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return absl::OkStatus();
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ETOOMANYREFS) {
    return ResourceExhausted("the socket to a process is full");
  }
  return Unavailable("the socket to a process: {}", std::strerror(errno));
}

absl::StatusOr<std::optional<Received>> Channel::Receive(bool wait) const {
  std::vector<std::byte> bytes(kMaxMessageBytes);
  iovec part = {.iov_base = bytes.data(), .iov_len = bytes.size()};
  Control control = {};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes.data();
  header.msg_controllen = control.bytes.size();
  ssize_t got = -1;
  do {
    got = recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
  if (got <= 0) return Unavailable("the socket to a process: {}", got == 0 ? "closed" : std::strerror(errno));
  std::vector<UniqueFd> fds = TakeFds(header);
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return DataLoss("pool message: longer than allowed");
  TUTTI_ASSIGN_OR_RETURN(PoolMessage message, DecodeMessage(std::span(bytes).first(static_cast<size_t>(got))));
  return Received{std::move(message), std::move(fds)};
}

}  // namespace tutti
