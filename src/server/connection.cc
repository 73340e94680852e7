#include "server/connection.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/seconds.h"
#include "base/text.h"
#include "server/router.h"
#include "server/socket_session.h"
#include "server/web_socket.h"
#include "service/api_error.h"

namespace tutti {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kGoodbye{30};
constexpr int64_t kMaxSocketMessage = 16 << 20;
constexpr std::chrono::seconds kSocketIdle{300};

// The key of a request: Authorization: Bearer KEY, or where a client cannot send headers, ?key=KEY.
std::string KeyOf(const HttpExchange& exchange) {
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view header = exchange.header("Authorization");
  if (header.size() > kBearer.size()) {
    if (InLowerCase(std::string(header.substr(0, kBearer.size()))) == kBearer)
      return std::string(header.substr(kBearer.size()));
  }
  Fields query;
  if (exchange.wants_websocket() && query.AddQuery(exchange.query()).ok()) return query.Text("key");
  return "";
}

// Sets the context's tenant.
absl::Status Authenticate(Service& service, HttpExchange& exchange, RequestContext& context) {
  context.tenant = exchange.transport().peer();
  if (service.keys == nullptr) return absl::OkStatus();
  const std::string key = KeyOf(exchange);
  const std::string_view tenant = service.keys->TenantOf(key);
  if (tenant.empty()) {
    return absl::UnauthenticatedError(key.empty() ? "an API key is needed: Authorization: Bearer KEY"
                                                  : "this API key is not valid");
  }
  context.tenant = tenant;
  return absl::OkStatus();
}

absl::Status Admit(Service& service, HttpExchange& exchange, const Route& route, RequestContext& context) {
  if (route.is_open && !exchange.wants_websocket()) return absl::OkStatus();
  TUTTI_RETURN_IF_ERROR(Authenticate(service, exchange, context));
  if (exchange.method() != "POST") return absl::OkStatus();
  if (service.draining) return Unavailable("the service is shutting down");
  if (const auto wait = service.limiter.Take(context.tenant, Clock::now())) {
    context.retry_after_seconds = wait->count();
    return ResourceExhausted("too many requests: {} a minute are allowed, try again in {:.0f} s",
                             service.options.limits.requests_per_minute, std::ceil(wait->count()));
  }
  return absl::OkStatus();
}

void AddCommonHeaders(const Service& service, HttpExchange& exchange, const RequestContext& context) {
  exchange.AddHeader("X-Request-Id", context.request_id);
  exchange.AddHeader("X-Content-Type-Options", "nosniff");
  exchange.AddHeader("Referrer-Policy", "no-referrer");
  exchange.AddHeader("Cache-Control", exchange.path().starts_with("/assets/") ? "no-cache" : "no-store");
  if (exchange.transport().is_tls()) exchange.AddHeader("Strict-Transport-Security", "max-age=31536000");
  const std::string_view origin = exchange.header("Origin");
  const auto& allowed = service.options.security.cors_origins;
  if (!origin.empty() && std::ranges::find(allowed, origin) != allowed.end()) {
    exchange.AddHeader("Access-Control-Allow-Origin", std::string(origin));
    exchange.AddHeader("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Location");
    exchange.AddHeader("Vary", "Origin");
  }
}

Awaitable<void> AnswerPreflight(HttpExchange& exchange) {
  exchange.AddHeader("Access-Control-Allow-Methods", "GET, POST, DELETE");
  exchange.AddHeader("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Request-Timeout, traceparent");
  exchange.AddHeader("Access-Control-Max-Age", "600");
  co_await exchange.Send(204, "", "");
}

void LogRequest(const Service& service, const HttpExchange& exchange, const RequestContext& context,
                std::string_view route) {
  const double seconds = SecondsSince(context.began);
  const LogLevel level = exchange.status() >= 500 ? LogLevel::kWarning : LogLevel::kInfo;
  if (!service.log->on(level)) return;
  Json line = {
      {"request_id", context.request_id},    {"trace_id", context.trace_id}, {"tenant", context.tenant},
      {"peer", exchange.transport().peer()}, {"method", exchange.method()},  {"route", route},
      {"status", exchange.status()},         {"seconds", seconds},           {"received_bytes", exchange.body_bytes()},
      {"sent_bytes", exchange.sent_bytes()}};
  if (!context.parent_id.empty()) line["parent_id"] = context.parent_id;
  if (!context.error_code.empty()) line["error"] = context.error_code;
  if (!context.model.empty()) {
    const Timings& t = context.timings;
    line["model"] = context.model;
    line["audio_seconds"] = context.audio_seconds;
    line["stages"] = {
        {"decode", t.decode}, {"vad", t.vad}, {"features", t.features}, {"recognise", t.recognise}, {"wall", t.wall}};
  }
  service.log->Write(level, "request", line);
}

Awaitable<void> Answer(Service& service, HttpExchange& exchange, RequestContext& context, const Route* route,
                       const std::string& allowed) {
  if (exchange.method() == "OPTIONS" && !exchange.header("Origin").empty()) {
    co_return co_await AnswerPreflight(exchange);
  }
  if (route == nullptr) {
    if (!allowed.empty()) {
      exchange.AddHeader("Allow", allowed);
      co_return co_await exchange.Send(
          405, "application/json",
          ErrorJson(InvalidArgument("{} is not what {} is for", exchange.method(), exchange.path())));
    }
    co_return co_await SendError(service, exchange, context, NotFound("there is nothing at {}", exchange.path()));
  }
  const absl::Status admitted = Admit(service, exchange, *route, context);
  if (!admitted.ok()) co_return co_await SendError(service, exchange, context, admitted);
  std::string failure;
  try {
    co_return co_await route->handler(service, exchange, context);
  } catch (const std::exception& e) {
    failure = e.what();
  }
  const Json line = {{"request_id", context.request_id}, {"what", failure}};
  service.log->Write(LogLevel::kError, "exception", line);
  if (exchange.status() == 0) {
    co_await SendError(service, exchange, context, absl::InternalError("an error of the service; its log tells more"));
  }
}

// Counts what runs, so that a drain can wait for it.
class Active {
 public:
  explicit Active(Service& service) : service_(service) { ++service_.active; }
  ~Active() { --service_.active; }
  Active(const Active&) = delete;
  Active& operator=(const Active&) = delete;

 private:
  Service& service_;
};

Awaitable<void> UpgradeToSocket(Service& service, HttpExchange& exchange, RequestContext& context, const Route& route,
                                std::optional<Active>& active) {
  absl::Status admitted = Admit(service, exchange, route, context);
  if (admitted.ok() && service.draining) admitted = Unavailable("the service is shutting down");
  if (!admitted.ok()) co_return co_await SendError(service, exchange, context, admitted);
  const auto socket = exchange.transport().ToWebSocket(exchange.raw_header());
  const IoError error = co_await socket->Accept(kMaxSocketMessage, kSocketIdle);
  if (error) co_return;
  active.reset();  // the session counts its utterances
  co_await ServeSocket(service, *socket, context);
}

// Lets the service end the connection.
class Listed {
 public:
  Listed(Service& service, Transport& transport) : service_(service), transport_(transport) {
    service_.transports.insert(&transport_);
  }
  ~Listed() { service_.transports.erase(&transport_); }
  Listed(const Listed&) = delete;
  Listed& operator=(const Listed&) = delete;

 private:
  Service& service_;
  Transport& transport_;
};

}  // namespace

Awaitable<void> ServeConnection(Service& service, std::unique_ptr<Transport> transport) {
  const Listed listed(service, *transport);
  const IoError error = co_await transport->Handshake(Clock::now() + service.http.header_time);
  if (error) co_return;
  std::string buffer;
  std::optional<Active> active;
  for (bool go_on = true; go_on;) {
    active.reset();
    HttpExchange exchange(*transport, buffer, service.http);
    if (!co_await exchange.ReadHeader()) break;
    active.emplace(service);
    RequestContext context;
    context.began = Clock::now();
    context.request_id = RandomHex(16);
    const TraceParent parent = ParseTraceParent(exchange.header("traceparent"));
    context.trace_id = parent.trace_id.empty() ? RandomHex(32) : parent.trace_id;
    context.parent_id = parent.parent_id;
    AddCommonHeaders(service, exchange, context);
    std::string allowed;
    const Route* route = FindRoute(exchange.method(), exchange.path(), allowed);
    const bool is_socket = exchange.wants_websocket() && route != nullptr && route->takes_sockets;
    if (is_socket) {
      co_await UpgradeToSocket(service, exchange, context, *route, active);
    } else {
      co_await Answer(service, exchange, context, route, allowed);
    }
    const std::string pattern(route != nullptr ? route->pattern : "none");
    service.metrics.CountRequest(pattern, exchange.status(), SecondsSince(context.began));
    LogRequest(service, exchange, context, pattern);
    go_on = !is_socket && co_await exchange.Finish();
    // Closing on bytes that were not read would reset the connection, and the answer with it.
    if (is_socket || exchange.has_whole_body()) active.reset();
  }
  co_await transport->Close(Clock::now() + kGoodbye);
}

}  // namespace tutti
