#include "server/web_socket.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <tuple>
#include <utility>

#include "server/byte_stream.h"

namespace tutti {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

class BeastWebSocket final : public WebSocket {
 public:
  BeastWebSocket(ByteStream& stream, std::string header) : stream_(AnyStream(stream)), header_(std::move(header)) {}

  Awaitable<IoError> Accept(int64_t max_message_bytes, std::chrono::seconds idle) override {
    stream_.read_message_max(static_cast<size_t>(max_message_bytes));
    websocket::stream_base::timeout timeouts{};
    timeouts.handshake_timeout = std::chrono::seconds(10);
    timeouts.idle_timeout = idle;
    timeouts.keep_alive_pings = true;
    stream_.set_option(timeouts);
    http::request_parser<http::empty_body> parser;
    IoError error;
    parser.put(asio::buffer(header_), error);
    if (error) co_return error;
    const bool binary = parser.get()[http::field::sec_websocket_protocol].find("binary") != beast::string_view::npos;
    stream_.set_option(websocket::stream_base::decorator([binary](websocket::response_type& response) {
      response.set(http::field::server, "tutti");
      if (binary) response.set(http::field::sec_websocket_protocol, "binary");
    }));
    std::tie(error) = co_await stream_.async_accept(parser.get(), kAsTuple);
    co_return error;
  }

  Awaitable<Message> Read(IoError& error) override {
    beast::flat_buffer buffer;
    size_t count = 0;
    std::tie(error, count) = co_await stream_.async_read(buffer, kAsTuple);
    Message message;
    if (error) co_return message;
    message.is_text = stream_.got_text();
    message.bytes.assign(static_cast<const char*>(buffer.data().data()), count);
    co_return message;
  }

  Awaitable<IoError> WriteText(std::string_view text) override {
    stream_.text(true);
    const auto [error, count] = co_await stream_.async_write(asio::buffer(text), kAsTuple);
    co_return error;
  }

  Awaitable<void> Close(uint16_t code, std::string_view reason) override {
    co_await stream_.async_close({static_cast<websocket::close_code>(code), {reason.data(), reason.size()}}, kAsTuple);
  }

 private:
  websocket::stream<AnyStream, false> stream_;  // without compression, which is not offered
  const std::string header_;
};

}  // namespace

std::unique_ptr<WebSocket> WebSocket::Create(ByteStream& stream, std::string header) {
  return std::make_unique<BeastWebSocket>(stream, std::move(header));
}

}  // namespace tutti
