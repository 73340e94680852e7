#include "server/http_client.h"

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include "server/byte_stream.h"

namespace tutti {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

absl::Status Failure(const Url& url, const IoError& error) {
  if (error == beast::error::timeout) {
    return absl::DeadlineExceededError(fmt::format("{}: no answer in time", url.authority()));
  }
  if (error == http::error::body_limit) {
    return absl::OutOfRangeError(fmt::format("{}: the answer is too large", url.authority()));
  }
  return Unavailable("{}: {}", url.authority(), error.message());
}

Awaitable<absl::StatusOr<int>> Exchange(ByteStream& bytes, const ClientRequest& request,
                                        const std::function<absl::Status(std::string_view)>& receive) {
  AnyStream stream(bytes);
  http::request<http::string_body> message;
  message.method_string(request.method);
  message.target(request.url.target);
  message.version(11);
  message.set(http::field::host, request.url.authority());
  message.set(http::field::user_agent, "tutti");
  message.set(http::field::connection, "close");
  for (const auto& [name, value] : request.headers) message.set(name, value);
  message.body() = request.body;
  message.prepare_payload();
  IoError error;
  size_t count = 0;
  std::tie(error, count) = co_await http::async_write(stream, message, kAsTuple);
  if (error) co_return Failure(request.url, error);

  beast::flat_buffer buffer;
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(static_cast<uint64_t>(request.max_bytes));
  std::tie(error, count) = co_await http::async_read_header(stream, buffer, parser, kAsTuple);
  if (error) co_return Failure(request.url, error);
  std::string piece(64 << 10, '\0');
  while (!parser.is_done()) {
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    std::tie(error, count) = co_await http::async_read_some(stream, buffer, parser, kAsTuple);
    if (error && error != http::error::need_buffer) co_return Failure(request.url, error);
    const size_t got = piece.size() - parser.get().body().size;
    if (got == 0) continue;
    if (const absl::Status taken = receive(std::string_view(piece).substr(0, got)); !taken.ok()) co_return taken;
  }
  co_return parser.get().result_int();
}

// The first address of the host that may be connected to.
Awaitable<absl::StatusOr<Tcp::endpoint>> Resolve(const ClientRequest& request) {
  const auto executor = co_await asio::this_coro::executor;
  Tcp::resolver resolver(executor);
  const auto [error, found] =
      co_await resolver.async_resolve(request.url.host, std::to_string(request.url.port), kAsTuple);
  if (error) co_return Failure(request.url, error);
  for (const auto& entry : found) {
    const Tcp::endpoint endpoint = entry.endpoint();
    if (request.allow_private || !IsPrivateAddress(endpoint.address().to_string())) co_return endpoint;
  }
  co_return absl::PermissionDeniedError(fmt::format("{}: is at a private address", request.url.authority()));
}

}  // namespace

absl::StatusOr<std::shared_ptr<asio::ssl::context>> MakeClientTls(const std::string& ca_certificates) {
  using Context = asio::ssl::context;
  auto tls = std::make_shared<Context>(Context::tls_client);
  IoError error;
  tls->set_options(Context::default_workarounds | Context::no_tlsv1 | Context::no_tlsv1_1, error);
  if (!error) tls->set_verify_mode(asio::ssl::verify_peer, error);
  if (!error && ca_certificates.empty()) tls->set_default_verify_paths(error);
  if (error) return absl::InternalError(fmt::format("TLS: {}", error.message()));
  if (!ca_certificates.empty()) tls->load_verify_file(ca_certificates, error);
  if (error) return InvalidArgument("security.ca_certificates: {}: {}", ca_certificates, error.message());
  return tls;
}

Awaitable<absl::StatusOr<int>> SendRequest(ClientRequest request,
                                           std::function<absl::Status(std::string_view)> receive) {
  const auto endpoint = co_await Resolve(request);
  if (!endpoint.ok()) co_return endpoint.status();
  const auto executor = co_await asio::this_coro::executor;
  IoError error;
  if (!request.url.is_tls) {
    beast::tcp_stream stream(executor);
    stream.expires_at(request.deadline);
    std::tie(error) = co_await stream.async_connect(*endpoint, kAsTuple);
    if (error) co_return Failure(request.url, error);
    ByteStreamOver bytes(stream);
    co_return co_await Exchange(bytes, request, receive);
  }
  asio::ssl::stream<beast::tcp_stream> stream(executor, *request.tls);
  stream.set_verify_callback(asio::ssl::host_name_verification(request.url.host), error);
  SSL_set_tlsext_host_name(stream.native_handle(), request.url.host.c_str());
  beast::get_lowest_layer(stream).expires_at(request.deadline);
  std::tie(error) = co_await beast::get_lowest_layer(stream).async_connect(*endpoint, kAsTuple);
  if (!error) std::tie(error) = co_await stream.async_handshake(asio::ssl::stream_base::client, kAsTuple);
  if (error) co_return Failure(request.url, error);
  ByteStreamOver bytes(stream);
  co_return co_await Exchange(bytes, request, receive);
}

}  // namespace tutti
