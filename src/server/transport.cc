#include "server/transport.h"

#include <algorithm>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <type_traits>
#include <utility>
#include <vector>

#include "server/byte_stream.h"
#include "server/web_socket.h"

namespace tutti {
namespace {

namespace beast = boost::beast;

using Clock = std::chrono::steady_clock;

// Of what a peer still sends after our last word (RFC 9112 §9.6).
constexpr std::chrono::seconds kSilence{5};
constexpr size_t kLingerBytes = 64 << 10;
constexpr int64_t kMaxLingerBytes = int64_t{512} << 20;

template <typename Stream>
constexpr bool kIsTls = !std::is_same_v<Stream, beast::tcp_stream>;

template <typename Stream>
class TransportOver final : public Transport {
 public:
  template <typename... Arguments>
  explicit TransportOver(Arguments&&... arguments)
      : stream_(std::forward<Arguments>(arguments)...), read_deadline_(stream_.get_executor()) {
    IoError ignored;
    socket().set_option(Tcp::no_delay(true), ignored);
    const Tcp::endpoint peer = socket().remote_endpoint(ignored);
    peer_ = peer.address().to_string();
  }

  Awaitable<IoError> Handshake(Time deadline) override {
    IoError error;
    if constexpr (kIsTls<Stream>) {
      lowest().expires_at(deadline);
      std::tie(error) = co_await stream_.async_handshake(asio::ssl::stream_base::server, kAsTuple);
    }
    co_return error;
  }

  Awaitable<size_t> Read(std::span<char> into, Time deadline, IoError& error) override {
    // Not the stream's own deadline, which would close it: who is too slow is still told so.
    lowest().expires_never();
    const auto state = std::make_shared<ReadState>();
    read_deadline_.expires_at(deadline);
    read_deadline_.async_wait([this, state](const IoError& cancelled) {
      if (cancelled || state->done) return;
      state->expired = true;
      IoError ignored;
      socket().cancel(ignored);
    });
    size_t count = 0;
    std::tie(error, count) = co_await stream_.async_read_some(asio::buffer(into.data(), into.size()), kAsTuple);
    state->done = true;
    read_deadline_.cancel();
    if (error && state->expired) error = beast::error::timeout;
    co_return count;
  }

  Awaitable<IoError> Write(std::string_view bytes, Time deadline) override {
    lowest().expires_at(deadline);
    const auto [error, count] = co_await asio::async_write(stream_, asio::buffer(bytes), kAsTuple);
    co_return error;
  }

  Awaitable<void> WaitForInput(bool& closed) override {
    closed = false;
    const auto [error] = co_await socket().async_wait(Tcp::socket::wait_read, kAsTuple);
    if (error == asio::error::operation_aborted) co_return;
    IoError available_error;
    closed = error || socket().available(available_error) == 0 || available_error;
  }

  Awaitable<void> Close(Time deadline) override {
    IoError error;
    lowest().expires_at(std::min(deadline, Clock::now() + kSilence));
    if constexpr (kIsTls<Stream>) std::tie(error) = co_await stream_.async_shutdown(kAsTuple);  // fails on data
    IoError ignored;
    if (!kIsTls<Stream> || error) {
      socket().shutdown(Tcp::socket::shutdown_send, ignored);
      co_await Linger(deadline);
    }
    socket().close(ignored);
  }

  void Abort() override {
    IoError ignored;
    socket().close(ignored);
  }
  bool is_open() const override { return beast::get_lowest_layer(stream_).socket().is_open(); }

  std::string peer() const override { return peer_; }
  bool is_tls() const override { return kIsTls<Stream>; }
  std::unique_ptr<WebSocket> ToWebSocket(std::string header) override {
    lowest().expires_never();  // the WebSocket has time-outs of its own
    return WebSocket::Create(bytes_, std::move(header));
  }

 private:
  // Of one Read, which its timer may outlive.
  struct ReadState {
    bool done = false, expired = false;
  };

  // Closing on unread bytes would reset the connection, and a peer that is still sending would lose our answer.
  Awaitable<void> Linger(Time deadline) {
    std::vector<char> dropped(kLingerBytes);
    for (int64_t total = 0; total < kMaxLingerBytes;) {
      lowest().expires_at(std::min(deadline, Clock::now() + kSilence));
      const auto [error, count] = co_await lowest().async_read_some(asio::buffer(dropped), kAsTuple);
      if (error) break;
      total += static_cast<int64_t>(count);
    }
  }

  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }
  Tcp::socket& socket() { return lowest().socket(); }

  Stream stream_;
  ByteStreamOver<Stream> bytes_{stream_};
  asio::steady_timer read_deadline_;
  std::string peer_;
};

}  // namespace

std::unique_ptr<Transport> Transport::Create(Tcp::socket socket, asio::ssl::context* tls) {
  if (tls == nullptr) return std::make_unique<TransportOver<beast::tcp_stream>>(std::move(socket));
  return std::make_unique<TransportOver<asio::ssl::stream<beast::tcp_stream>>>(beast::tcp_stream(std::move(socket)),
                                                                               *tls);
}

}  // namespace tutti
