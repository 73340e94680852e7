#include "server/http_exchange.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/status.hpp>

#include "service/api_error.h"
#include "service/percent.h"

namespace tutti {
namespace {

namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;

constexpr size_t kReadBytes = 64 << 10;
// Of a body that nobody wanted, so that the connection can go on.
constexpr int64_t kMaxDroppedBytes = 1 << 20;
// 0 CRLF CRLF: every chunked body that is not yet whole has at least these to come. Beast's parser asserts that it is
// not asked again with fewer once it has seen the last chunk's size.
constexpr size_t kEndOfChunks = 5;

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

HttpExchange::HttpExchange(Transport& transport, std::string& buffer, const HttpLimits& limits)
    : transport_(transport), buffer_(buffer), limits_(limits) {
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(limits.max_header_bytes));
  // NextBody counts: the parser would take a long Content-Length for a malformed header.
  parser_->body_limit(boost::none);
}

Awaitable<size_t> HttpExchange::Fill(Transport::Time deadline, IoError& error) {
  const size_t before = buffer_.size();
  buffer_.resize(before + kReadBytes);
  const size_t count = co_await transport_.Read(std::span(buffer_).subspan(before), deadline, error);
  buffer_.resize(before + count);
  co_return count;
}

Awaitable<bool> HttpExchange::ReadHeader() {
  const auto deadline = Clock::now() + limits_.header_time;
  IoError error;
  while (!parser_->is_header_done()) {
    if (!buffer_.empty()) {
      const size_t used = parser_->put(asio::buffer(buffer_), error);
      raw_header_.append(buffer_, 0, used);
      buffer_.erase(0, used);
      if (error == http::error::header_limit) {
        co_await Refuse(431, "the request's header is too large");
        co_return false;
      }
      if (error && error != http::error::need_more) {
        co_await Refuse(400, fmt::format("this is no HTTP request: {}", error.message()));
        co_return false;
      }
      if (parser_->is_header_done()) break;
    }
    error = {};
    co_await Fill(deadline, error);
    if (!error) continue;
    if (error == boost::beast::error::timeout && !(raw_header_.empty() && buffer_.empty())) {
      co_await Refuse(408, "the request's header did not arrive in time");
    }
    co_return false;
  }
  keep_alive_ = parser_->get().keep_alive();
  body_began_ = Clock::now();
  method_ = View(parser_->get().method_string());
  if (!ParseTarget()) {
    co_await Refuse(400, "the request's target is malformed");
    co_return false;
  }
  co_return true;
}

bool HttpExchange::ParseTarget() {
  const std::string_view target = View(parser_->get().target());
  if (target.empty() || target.front() != '/') return false;
  const size_t question = target.find('?');
  if (question != std::string_view::npos) query_ = target.substr(question + 1);
  auto path = PercentDecode(target.substr(0, question), false);
  if (!path || path->find('\0') != std::string::npos) return false;
  path_ = *std::move(path);
  return true;
}

std::string_view HttpExchange::header(std::string_view name) const {
  return View(parser_->get()[boost::beast::string_view(name.data(), name.size())]);
}

std::optional<int64_t> HttpExchange::content_length() const {
  const auto length = parser_->content_length();
  if (!length) return std::nullopt;
  return static_cast<int64_t>(std::min<uint64_t>(*length, INT64_MAX));
}

bool HttpExchange::wants_websocket() const {
  return boost::beast::iequals(parser_->get()[http::field::upgrade], "websocket") && method_ == "GET";
}

// The parser stops after each chunk, and moves none of what follows: all of the buffer is parsed before its front goes,
// or a body of tiny chunks would cost as much as the square of the buffer.
size_t HttpExchange::ParseBody(IoError& error) {
  piece_.resize(kReadBytes);
  auto& body = parser_->get().body();
  body.data = piece_.data();
  body.size = piece_.size();
  body.more = true;
  const size_t least = parser_->chunked() ? kEndOfChunks : 1;
  size_t used = 0;
  while (used + least <= buffer_.size() && body.size > 0 && !parser_->is_done()) {
    const size_t some = parser_->put(asio::buffer(buffer_) + used, error);
    used += some;
    if (error == http::error::need_buffer) error = {};
    if (error || some == 0) break;
  }
  if (error == http::error::need_more) error = {};
  buffer_.erase(0, used);
  return piece_.size() - body.size;
}

bool HttpExchange::CanDropBody() const {
  if (!parser_->is_header_done()) return false;  // what it is, nobody knows
  if (parser_->is_done()) return true;
  // Who waits for leave to send a body will not send it now.
  if (!continue_sent_ && !header("Expect").empty()) return false;
  return content_length().value_or(0) - body_bytes_ <= kMaxDroppedBytes;
}

void HttpExchange::DecideKeepAlive() {
  if (limits_.is_closing || body_failed_ || !CanDropBody()) keep_alive_ = false;
}

Awaitable<absl::StatusOr<std::string_view>> HttpExchange::NextBody() {
  if (body_failed_) co_return absl::CancelledError("the request's body has failed before");
  if (parser_->is_done()) co_return std::string_view();
  if (!continue_sent_ && boost::beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
    co_await transport_.Write("HTTP/1.1 100 Continue\r\n\r\n", WriteDeadline());
  }
  continue_sent_ = true;
  body_failed_ = true;  // until it is not
  while (true) {
    IoError error;
    const size_t count = ParseBody(error);
    if (error) co_return InvalidArgument("the request's body is malformed: {}", error.message());
    body_bytes_ += static_cast<int64_t>(count);
    if (body_bytes_ > limits_.max_body_bytes) {
      co_return absl::OutOfRangeError(
          fmt::format("the request's body has more than the {} bytes allowed", limits_.max_body_bytes));
    }
    if (count > 0 || parser_->is_done()) {
      body_failed_ = false;
      co_return std::string_view(piece_.data(), count);
    }
    // Part of a chunk's header or of the trailer, on whose length the parser has no bound.
    if (std::ssize(buffer_) > limits_.max_header_bytes) {
      co_return InvalidArgument("the request's body is malformed: more than {} bytes between chunks",
                                limits_.max_header_bytes);
    }
    const auto average = std::chrono::milliseconds(body_bytes_ * 1000 / limits_.min_body_bytes_per_second);
    const auto deadline = std::min(Clock::now() + limits_.body_time, body_began_ + limits_.body_time + average);
    co_await Fill(deadline, error);
    if (error == boost::beast::error::timeout) {
      body_too_slow_ = true;
      co_return absl::DeadlineExceededError("the request's body came too slowly");
    }
    if (error) co_return absl::CancelledError("the client left before the request's body was complete");
  }
}

Awaitable<absl::StatusOr<std::string>> HttpExchange::ReadBody(int64_t max_bytes) {
  std::string whole;
  while (true) {
    const auto piece = co_await NextBody();
    if (!piece.ok()) co_return piece.status();
    if (piece->empty()) co_return whole;
    whole += *piece;
    if (std::ssize(whole) > max_bytes) {
      co_return absl::OutOfRangeError(
          fmt::format("the request's body has more than the {} bytes allowed here", max_bytes));
    }
  }
}

Transport::Time HttpExchange::WriteDeadline() const { return Clock::now() + limits_.body_time; }

Awaitable<void> HttpExchange::Put(std::string_view bytes) {
  // As a condition, `if (co_await …)`, gcc 12 resumes a frame that is gone.
  const IoError error = co_await transport_.Write(bytes, WriteDeadline());
  if (error) write_failed_ = true;
}

std::string HttpExchange::Head(int status, std::string_view content_type, const Headers& headers,
                               std::string_view framing) const {
  const auto reason = View(http::obsolete_reason(static_cast<http::status>(status)));
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nServer: tutti\r\n{}", status, reason, framing);
  if (!content_type.empty()) head += fmt::format("Content-Type: {}\r\n", content_type);
  for (const Headers* some : {&headers_, &headers}) {
    for (const auto& [name, value] : *some) head += fmt::format("{}: {}\r\n", name, value);
  }
  head += keep_alive_ ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return head;
}

Awaitable<void> HttpExchange::Send(int status, std::string_view content_type, std::string_view body, Headers headers) {
  status_ = status;
  DecideKeepAlive();
  const bool bodyless = status == 204 || status == 304;
  std::string answer = Head(status, content_type, headers,
                            bodyless ? std::string() : fmt::format("Content-Length: {}\r\n", body.size()));
  if (method_ != "HEAD" && !bodyless) answer += body;
  sent_bytes_ += std::ssize(answer);
  co_await Put(answer);
}

Awaitable<void> HttpExchange::Begin(int status, std::string_view content_type, Headers headers) {
  status_ = status;
  const bool chunked = parser_->get().version() >= 11;
  DecideKeepAlive();
  if (!chunked) keep_alive_ = false;
  const std::string head = Head(status, content_type, headers, chunked ? "Transfer-Encoding: chunked\r\n" : "");
  co_await Put(head);
}

Awaitable<bool> HttpExchange::Write(std::string_view piece) {
  if (write_failed_) co_return false;
  if (piece.empty() || method_ == "HEAD") co_return true;
  const bool chunked = parser_->get().version() >= 11;
  const std::string framed = chunked ? fmt::format("{:x}\r\n{}\r\n", piece.size(), piece) : std::string(piece);
  sent_bytes_ += std::ssize(framed);
  co_await Put(framed);
  co_return !write_failed_;
}

Awaitable<void> HttpExchange::End() {
  if (write_failed_ || parser_->get().version() < 11 || method_ == "HEAD") co_return;
  co_await Put("0\r\n\r\n");
}

Awaitable<void> HttpExchange::Refuse(int status, std::string_view message) {
  keep_alive_ = false;
  co_await Send(status, "application/json", ErrorJson(absl::InvalidArgumentError({message.data(), message.size()})));
}

Awaitable<bool> HttpExchange::Finish() {
  if (!keep_alive_ || write_failed_ || body_failed_ || status_ == 0) co_return false;
  if (parser_->is_done()) co_return true;
  if (!CanDropBody()) co_return false;
  for (int64_t dropped = 0; dropped < kMaxDroppedBytes;) {
    const auto piece = co_await NextBody();
    if (!piece.ok()) co_return false;
    if (piece->empty()) co_return true;
    dropped += std::ssize(*piece);
  }
  co_return false;
}

}  // namespace tutti
