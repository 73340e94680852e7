#pragma once

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "server/transport.h"

namespace tutti {

struct HttpLimits {
  int64_t max_header_bytes = 32 << 10;
  int64_t max_body_bytes = int64_t{512} << 20;
  std::chrono::milliseconds header_time{10'000};  // for a whole header, and between two requests
  std::chrono::milliseconds body_time{30'000};    // without a byte of the body, and for a piece of an answer to leave
  // On average, counted from the first second after body_time: below it a client is too slow to be kept.
  int64_t min_body_bytes_per_second = 500;
  bool is_closing = false;  // the service ends: each answer is its connection's last
};

// One request and its answer on a connection (RFC 9112). For the service's thread only.
//
// ReadHeader, then the handler: any of the getters, NextBody until it is empty, and one answer, whole by Send or in
// pieces by Begin, Write, End. The body need not be read. Finish says whether the connection can go on.
class HttpExchange {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  // `buffer` holds what was read from the transport and not used; both outlive the exchange.
  HttpExchange(Transport& transport, std::string& buffer, const HttpLimits& limits);

  // False when the peer left or was too slow before it sent anything. A request that is none gets its answer (400, 431,
  // 408) and false.
  Awaitable<bool> ReadHeader();

  std::string_view method() const { return method_; }
  std::string_view path() const { return path_; }    // decoded, without the query
  std::string_view query() const { return query_; }  // as sent, without the ?
  // Of a header field, without regard to case; empty when there is none.
  std::string_view header(std::string_view name) const;
  std::optional<int64_t> content_length() const;
  bool wants_websocket() const;
  const std::string& raw_header() const { return raw_header_; }
  Transport& transport() const { return transport_; }

  // The next piece of the body, valid until the next call; empty at its end. OutOfRange beyond max_body_bytes,
  // DeadlineExceeded when the client is too slow, InvalidArgument for bad chunks, Cancelled when it left.
  Awaitable<absl::StatusOr<std::string_view>> NextBody();
  // The whole body; OutOfRange beyond `max_bytes`.
  Awaitable<absl::StatusOr<std::string>> ReadBody(int64_t max_bytes);
  int64_t body_bytes() const { return body_bytes_; }
  bool body_too_slow() const { return body_too_slow_; }

  // Added to every answer.
  void AddHeader(std::string name, std::string value) { headers_.emplace_back(std::move(name), std::move(value)); }

  // Errors of writing are not told: the next thing that reads or writes meets them, too.
  Awaitable<void> Send(int status, std::string_view content_type, std::string_view body, Headers headers = {});
  Awaitable<void> Begin(int status, std::string_view content_type, Headers headers = {});
  // False when the client has left.
  Awaitable<bool> Write(std::string_view piece);
  Awaitable<void> End();

  int status() const { return status_; }  // answered; 0: not yet
  int64_t sent_bytes() const { return sent_bytes_; }

  // Whether the answer let the client send another request here, and what is left of this one's body is out of the way.
  Awaitable<bool> Finish();
  bool has_whole_body() const { return parser_->is_done(); }

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;

  // Moves what the buffer has of the body into piece_; returns how much.
  size_t ParseBody(IoError& error);
  // Whether what is left of the body can be read and dropped, so that the connection can go on.
  bool CanDropBody() const;
  // Before an answer says whether another may follow.
  void DecideKeepAlive();
  Awaitable<size_t> Fill(Transport::Time deadline, IoError& error);
  bool ParseTarget();
  Awaitable<void> Refuse(int status, std::string_view message);
  Awaitable<void> Put(std::string_view bytes);
  std::string Head(int status, std::string_view content_type, const Headers& headers, std::string_view framing) const;
  Transport::Time WriteDeadline() const;

  Transport& transport_;
  std::string& buffer_;
  const HttpLimits& limits_;
  std::optional<Parser> parser_;
  std::string raw_header_, path_;
  std::string_view method_, query_;
  Headers headers_;
  std::string piece_;  // of the body
  bool continue_sent_ = false, body_failed_ = false, body_too_slow_ = false, write_failed_ = false, keep_alive_ = false;
  Transport::Time body_began_;
  int64_t body_bytes_ = 0, sent_bytes_ = 0;
  int status_ = 0;
};

}  // namespace tutti
