#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace tutti::testing {

// A WebSocket client of a few lines (RFC 6455), blocking, for whole and for broken frames. Frames are masked with
// zeros.
class SocketClient {
 public:
  explicit SocketClient(int port, const std::string& path = "/") {
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    timeval patience{.tv_sec = 60, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return;
    Raw("GET " + path +
        " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: binary\r\n\r\n");
    while (!handshake_.ends_with("\r\n\r\n")) {
      const auto byte = Bytes(1);
      if (!byte) return;
      handshake_ += *byte;
    }
  }
  ~SocketClient() { close(fd_); }
  SocketClient(const SocketClient&) = delete;
  SocketClient& operator=(const SocketClient&) = delete;

  const std::string& handshake() const { return handshake_; }
  void Raw(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  void Text(std::string_view text) { Frame(1, text); }
  void Json(const nlohmann::json& json) { Text(json.dump()); }
  void Binary(std::string_view bytes) { Frame(2, bytes); }
  void Frame(int opcode, std::string_view bytes) {
    std::string frame(1, static_cast<char>(0x80 | opcode));
    const int length_bytes = bytes.size() < 126 ? 0 : bytes.size() < 65536 ? 2 : 8;
    frame += static_cast<char>(0x80 | (length_bytes == 0 ? bytes.size() : length_bytes == 2 ? 126 : 127));
    for (int i = length_bytes - 1; i >= 0; --i) frame += static_cast<char>(bytes.size() >> (8 * i) & 0xFF);
    frame += std::string(4, '\0');
    Raw(frame + std::string(bytes));
  }

  // The next text frame as JSON; nothing when the server has closed. Pings are passed over.
  std::optional<nlohmann::json> Next() {
    while (true) {
      const auto head = Bytes(2);
      if (!head) return std::nullopt;
      size_t size = static_cast<uint8_t>((*head)[1]) & 0x7F;
      if (size >= 126) {
        const auto more = Bytes(size == 126 ? 2 : 8);
        if (!more) return std::nullopt;
        size = 0;
        for (const char c : *more) size = size << 8 | static_cast<uint8_t>(c);
      }
      const auto body = Bytes(size);
      const int opcode = (*head)[0] & 0x0F;
      if (!body || opcode == 8) return std::nullopt;
      if (opcode == 1) return nlohmann::json::parse(*body);
    }
  }

 private:
  std::optional<std::string> Bytes(size_t count) {
    std::string bytes(count, '\0');
    size_t have = 0;
    while (have < count) {
      const ssize_t got = recv(fd_, bytes.data() + have, count - have, 0);
      if (got <= 0) return std::nullopt;
      have += static_cast<size_t>(got);
    }
    return bytes;
  }

  int fd_ = -1;
  std::string handshake_;
};

}  // namespace tutti::testing
