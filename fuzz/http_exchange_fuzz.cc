// HTTP: any bytes on a connection give requests and answers, or an end; and how they are cut into pieces changes
// nothing. The first byte is the size of the pieces.
#include <algorithm>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/asio.h"
#include "server/http_exchange.h"
#include "server/web_socket.h"

namespace tutti {
namespace {

// A peer that sends `input` in pieces and leaves.
class Script final : public Transport {
 public:
  Script(std::string_view input, size_t piece) : input_(input), piece_(piece) {}

  Awaitable<IoError> Handshake(Time) override { co_return IoError(); }
  Awaitable<size_t> Read(std::span<char> into, Time, IoError& error) override {
    const size_t count = std::min({into.size(), piece_, input_.size()});
    std::copy_n(input_.begin(), count, into.begin());
    input_.remove_prefix(count);
    if (count == 0) error = asio::error::eof;
    co_return count;
  }
  Awaitable<IoError> Write(std::string_view bytes, Time) override {
    output += bytes;
    co_return IoError();
  }
  Awaitable<void> WaitForInput(bool& closed) override {
    closed = true;
    co_return;
  }
  Awaitable<void> Close(Time) override { co_return; }
  void Abort() override {}
  bool is_open() const override { return true; }
  std::string peer() const override { return "fuzz"; }
  bool is_tls() const override { return false; }
  std::unique_ptr<WebSocket> ToWebSocket(std::string) override { return nullptr; }

  std::string output;

 private:
  std::string_view input_;
  const size_t piece_;
};

// Reads bodies of some requests, drops those of others, and answers whole or in chunks, as handlers do.
Awaitable<void> Serve(Transport& transport, const HttpLimits& limits, std::string& seen) {
  std::string buffer;
  for (bool go_on = true; go_on;) {
    HttpExchange exchange(transport, buffer, limits);
    if (!co_await exchange.ReadHeader()) co_return;
    seen += fmt::format("{} {} {} {} {}\n", exchange.method(), exchange.path(), exchange.query(),
                        exchange.header("Content-Type"), exchange.wants_websocket());
    if (exchange.path() != "/drop") {
      const auto body = co_await exchange.ReadBody(limits.max_body_bytes);
      if (body.ok()) {
        seen += *body;
      } else {
        seen += absl::StatusCodeToString(body.status().code());
      }
      if (exchange.body_bytes() > limits.max_body_bytes + (64 << 10)) std::abort();
    }
    if (exchange.path() == "/chunks") {
      co_await exchange.Begin(200, "text/plain");
      co_await exchange.Write(exchange.query());
      co_await exchange.End();
    } else {
      co_await exchange.Send(exchange.path() == "/none" ? 204 : 200, "text/plain", exchange.query());
    }
    go_on = co_await exchange.Finish();
  }
}

std::string Run(std::string_view input, size_t piece) {
  HttpLimits limits;
  limits.max_header_bytes = 512;
  limits.max_body_bytes = 1024;
  Script script(input, piece);
  std::string seen;
  asio::io_context io{1};
  asio::co_spawn(io, Serve(script, limits, seen), asio::detached);
  io.run();
  if (!script.output.empty() && !script.output.starts_with("HTTP/1.1 ")) std::abort();
  return seen + "\n" + script.output;
}

}  // namespace
}  // namespace tutti

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = tutti::Run(input, input.size() + 1), pieces = tutti::Run(input, data[0] + size_t{1});
  // What is no request may be found out before or after the peer has left.
  const bool is_bad = (whole + pieces).find(" 400 Bad Request") != std::string::npos;
  if (!is_bad && whole != pieces) std::abort();
  return 0;
}
