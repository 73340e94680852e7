#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tutti::testing {

struct Answer {
  int status = 0;                              // 0: none came
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

using Headers = std::vector<std::pair<std::string, std::string>>;

inline std::string MakeRequest(std::string_view method, std::string_view target, const Headers& headers = {},
                               std::string_view body = "") {
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: test\r\n", method, target);
  for (const auto& [name, value] : headers) text += fmt::format("{}: {}\r\n", name, value);
  if (!body.empty() || method == "POST") text += fmt::format("Content-Length: {}\r\n", body.size());
  return text + "\r\n" + std::string(body);
}

// A connection that sends just the bytes it is told to, and waits for answers. After a minute without one it gives up,
// so that a test that hangs fails.
//
// Not thread-safe.
class Client {
 public:
  explicit Client(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = 60, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~Client() { Leave(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }

  // False when the server has closed.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // Hangs up.
  void Leave() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  // The next answer; `to_head`: it has no body.
  Answer Read(bool to_head = false) {
    Answer answer;
    const std::optional<std::string> head = TakeThrough("\r\n\r\n");
    if (!head) return answer;
    answer.status = std::atoi(head->substr(std::min<size_t>(9, head->size())).c_str());
    for (size_t at = head->find("\r\n") + 2; at + 2 < head->size();) {
      const size_t end = head->find("\r\n", at), colon = head->find(": ", at);
      std::string name = head->substr(at, colon - at);
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
      answer.headers[name] = head->substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
    if (to_head || answer.status == 100 || answer.status == 204 || answer.status == 304) return answer;
    if (answer.headers.contains("transfer-encoding")) {
      answer.body = ReadChunks();
    } else if (answer.headers.contains("content-length")) {
      answer.body = Take(std::stoul(answer.header("content-length")));
    } else {
      while (Fill()) continue;
      answer.body = Take(buffer_.size());
    }
    return answer;
  }

  Answer Ask(std::string_view request) { return Send(request) ? Read() : Answer(); }

  // What has come up to and with `end`; none when the server closed before.
  std::optional<std::string> TakeThrough(std::string_view end) {
    size_t at = buffer_.find(end);
    while (at == std::string::npos) {
      if (!Fill()) return std::nullopt;
      at = buffer_.find(end);
    }
    return Take(at + end.size());
  }

  // Waits for the server to close; true when it has sent nothing before.
  bool IsClosed() { return buffer_.empty() && !Fill(); }

 private:
  bool Fill() {
    char bytes[4096];
    const ssize_t count = recv(fd_, bytes, sizeof(bytes), 0);
    if (count > 0) buffer_.append(bytes, static_cast<size_t>(count));
    return count > 0;
  }

  std::string Take(size_t count) {
    while (buffer_.size() < count && Fill()) continue;
    std::string taken = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return taken;
  }

  std::string ReadChunks() {
    std::string body;
    while (const auto line = TakeThrough("\r\n")) {
      size_t size = 0;
      std::from_chars(line->data(), line->data() + line->size(), size, 16);
      body += Take(size);
      Take(2);
      if (size == 0) return body;
    }
    return body + "[broken off]";
  }

  int fd_;
  bool connected_ = false;
  std::string buffer_;
};

}  // namespace tutti::testing
