#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/asio.h"

namespace tutti {

class ByteStream;

// The WebSocket protocol (RFC 6455) over a stream of bytes. For the service's thread only; one owner, one reader and
// one writer at a time.
class WebSocket {
 public:
  struct Message {
    bool is_text = false;
    std::string bytes;
  };

  // The stream must outlive it; `header` is what the client sent up to the empty line.
  static std::unique_ptr<WebSocket> Create(ByteStream& stream, std::string header);
  virtual ~WebSocket() = default;
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  // Answers the handshake. Echoes the sub-protocol "binary" where the client offers it, as FunASR's clients do. A
  // message may have `max_message_bytes`; a peer that says nothing for `idle` and answers no ping is gone.
  virtual Awaitable<IoError> Accept(int64_t max_message_bytes, std::chrono::seconds idle) = 0;
  virtual Awaitable<Message> Read(IoError& error) = 0;
  virtual Awaitable<IoError> WriteText(std::string_view text) = 0;
  // A normal end, or with a reason that the peer is told: an RFC 6455 code.
  virtual Awaitable<void> Close(uint16_t code, std::string_view reason) = 0;

 protected:
  WebSocket() = default;
};

}  // namespace tutti
