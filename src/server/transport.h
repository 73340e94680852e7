#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "server/asio.h"

namespace boost::asio::ssl {
class context;
}

namespace tutti {

class WebSocket;

// A connected stream, in the clear or through TLS. For the service's thread only; one owner.
class Transport {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `tls` null: in the clear. It must outlive the transport.
  static std::unique_ptr<Transport> Create(Tcp::socket socket, asio::ssl::context* tls);
  virtual ~Transport() = default;

  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Of TLS; nothing in the clear. Each of the following ends with an error at `deadline`, after which the transport is
  // of no more use but, where it was a Read in the clear, for writing.
  virtual Awaitable<IoError> Handshake(Time deadline) = 0;
  // At least a byte; none only with an error, of which the end of the stream is one.
  virtual Awaitable<size_t> Read(std::span<char> into, Time deadline, IoError& error) = 0;
  virtual Awaitable<IoError> Write(std::string_view bytes, Time deadline) = 0;

  // Returns when the peer has closed, or has sent something that nobody has read yet; `closed` tells which. Cancel it
  // with the operators of asio::experimental.
  virtual Awaitable<void> WaitForInput(bool& closed) = 0;

  // Says goodbye and closes when the peer has, too. What that still sends is read and dropped until it is silent for
  // some seconds, has sent hundreds of MB, or `deadline`: so who is refused in the middle of an upload gets the answer.
  virtual Awaitable<void> Close(Time deadline) = 0;

  // Closes without a word: whatever waits for it ends with an error.
  virtual void Abort() = 0;
  virtual bool is_open() const = 0;

  // Where the peer is, "127.0.0.1".
  virtual std::string peer() const = 0;
  virtual bool is_tls() const = 0;

  // Makes a WebSocket of it, which may not outlive it. `header` is what the client sent up to the empty line.
  virtual std::unique_ptr<WebSocket> ToWebSocket(std::string header) = 0;

 protected:
  Transport() = default;
};

}  // namespace tutti
