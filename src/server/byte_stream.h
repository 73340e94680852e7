#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "server/asio.h"

namespace tutti {

// A stream of bytes without its type: Beast's operations are a hundred nested templates for every type of stream below
// them, which so are compiled once. For the service's thread only.
class ByteStream {
 public:
  // At most so many buffers of a sequence are read into or written at a time.
  template <typename Buffer>
  class Buffers {
   public:
    using value_type = Buffer;

    template <typename Sequence>
    explicit Buffers(const Sequence& sequence) {
      for (auto at = asio::buffer_sequence_begin(sequence);
           at != asio::buffer_sequence_end(sequence) && count_ < buffers_.size(); ++at) {
        if (Buffer(*at).size() > 0) buffers_[count_++] = Buffer(*at);
      }
    }
    const Buffer* begin() const { return buffers_.data(); }
    const Buffer* end() const { return buffers_.data() + count_; }

   private:
    std::array<Buffer, 8> buffers_;
    size_t count_ = 0;
  };
  using Done = asio::cancellation_slot_binder<std::function<void(IoError, size_t)>, asio::cancellation_slot>;

  virtual asio::any_io_executor executor() = 0;
  // As async_read_some and async_write_some of Asio: `done` is called later, once.
  virtual void ReadSome(Buffers<asio::mutable_buffer> into, Done done) = 0;
  virtual void WriteSome(Buffers<asio::const_buffer> from, Done done) = 0;
  // As Beast's teardown of a WebSocket's stream.
  virtual void Teardown(boost::beast::role_type role, std::function<void(IoError)> done) = 0;
  virtual void CloseNow() = 0;

 protected:
  ByteStream() = default;
  ~ByteStream() = default;
};

// Must not outlive the stream: beast::tcp_stream, or TLS over it.
template <typename Stream>
class ByteStreamOver final : public ByteStream {
 public:
  explicit ByteStreamOver(Stream& stream) : stream_(stream) {}

  asio::any_io_executor executor() override { return stream_.get_executor(); }
  void ReadSome(Buffers<asio::mutable_buffer> into, Done done) override {
    stream_.async_read_some(into, std::move(done));
  }
  void WriteSome(Buffers<asio::const_buffer> from, Done done) override {
    stream_.async_write_some(from, std::move(done));
  }
  void Teardown(boost::beast::role_type role, std::function<void(IoError)> done) override {
    using boost::beast::websocket::async_teardown;
    async_teardown(role, stream_, std::move(done));
  }
  void CloseNow() override {
    IoError ignored;
    boost::beast::get_lowest_layer(stream_).socket().close(ignored);
  }

 private:
  Stream& stream_;
};

// What Beast asks of a stream, for a ByteStream, which must outlive it.
class AnyStream {
 public:
  using executor_type = asio::any_io_executor;

  explicit AnyStream(ByteStream& stream) : stream_(stream) {}

  executor_type get_executor() { return stream_.executor(); }

  template <typename Sequence, typename Token>
  auto async_read_some(const Sequence& buffers, Token&& token) {
    return asio::async_initiate<Token, void(IoError, size_t)>(
        [this](auto handler, ByteStream::Buffers<asio::mutable_buffer> into) {
          stream_.ReadSome(into, Erase(std::move(handler)));
        },
        token, ByteStream::Buffers<asio::mutable_buffer>(buffers));
  }

  template <typename Sequence, typename Token>
  auto async_write_some(const Sequence& buffers, Token&& token) {
    return asio::async_initiate<Token, void(IoError, size_t)>(
        [this](auto handler, ByteStream::Buffers<asio::const_buffer> from) {
          stream_.WriteSome(from, Erase(std::move(handler)));
        },
        token, ByteStream::Buffers<asio::const_buffer>(buffers));
  }

  // Found by Beast through their argument. Nothing here is called without waiting but `teardown`, of Beast's
  // synchronous functions, which we do not use.
  template <typename Handler>
  friend void async_teardown(boost::beast::role_type role, AnyStream& stream, Handler&& handler) {
    stream.stream_.Teardown(role, Copyable(std::forward<Handler>(handler)));
  }
  friend void teardown(boost::beast::role_type, AnyStream& stream, IoError&) { stream.stream_.CloseNow(); }
  friend void beast_close_socket(AnyStream& stream) { stream.stream_.CloseNow(); }

 private:
  // std::function wants what can be copied, and handlers cannot.
  template <typename Handler>
  static auto Copyable(Handler&& handler) {
    auto shared = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
    return [shared](auto... results) { std::move (*shared)(results...); };
  }

  // Everything runs on one thread, so that a handler may be called wherever the stream is done.
  template <typename Handler>
  static ByteStream::Done Erase(Handler handler) {
    const asio::cancellation_slot slot = asio::get_associated_cancellation_slot(handler);
    return {slot, Copyable(std::move(handler))};
  }

  ByteStream& stream_;
};

}  // namespace tutti
