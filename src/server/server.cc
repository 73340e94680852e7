#include "server/server.h"

#include <fmt/ranges.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl/context.hpp>
#include <csignal>
#include <nlohmann/json.hpp>
#include <utility>

#include "server/connection.h"
#include "server/http_client.h"
#include "server/jobs.h"
#include "server/listener.h"
#include "server/service.h"

namespace tutti {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kDrainPoll{20};

LogLevel ParseLevel(const std::string& name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "warning") return LogLevel::kWarning;
  return name == "error" ? LogLevel::kError : LogLevel::kInfo;
}

absl::StatusOr<std::shared_ptr<const KeyStore>> LoadKeys(const ServeOptions& options) {
  if (options.security.keys.empty()) return nullptr;
  TUTTI_ASSIGN_OR_RETURN(KeyStore keys, KeyStore::Load(options.security.keys));
  return std::make_shared<const KeyStore>(std::move(keys));
}

}  // namespace

struct Server::Parts {
  Parts(const ServeOptions& options, OptionsReader reader)
      : service(options, io), acceptor(io), signals(io), stop(io), reread(std::move(reader)) {}

  Awaitable<void> AcceptLoop();
  void Begin(Tcp::socket socket);
  Awaitable<void> SignalLoop();
  Awaitable<void> Reload();
  // The options that a reload ends with; Validate has passed them. Logs the settings that cannot change now.
  Awaitable<absl::StatusOr<ServeOptions>> RereadOptions();
  Awaitable<void> Drain();
  void StartDraining();
  // Ends all coroutines, so that Run returns.
  void End();
  // Requests without an answer, and jobs that run: both are waited for. A job that waits will be there next time.
  int64_t Unfinished() const {
    return service.active + (service.jobs != nullptr ? static_cast<int64_t>(service.jobs->running()) : 0);
  }

  asio::io_context io{1};
  Service service;
  Tcp::acceptor acceptor;
  std::unique_ptr<asio::ssl::context> tls;
  asio::signal_set signals;
  asio::steady_timer stop;
  const OptionsReader reread;
  bool ended = false;
  bool finished_all = true;
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() {
  // Who may call back goes before what is called. The coroutines have ended with Run.
  Service& service = parts_->service;
  service.jobs.reset();
  service.models.reset();
  service.blocking.stop();
  service.blocking.join();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Create(const ServeOptions& options, ModelTable::Loader loader,
                                                       OptionsReader reread) {
  TUTTI_RETURN_IF_ERROR(Validate(options));
  auto parts = std::make_unique<Parts>(options, std::move(reread));
  Service& service = parts->service;
  service.log = std::make_unique<Log>(stderr, ParseLevel(options.log.level));
  TUTTI_ASSIGN_OR_RETURN(parts->tls, MakeTls(options.listen));
  TUTTI_ASSIGN_OR_RETURN(parts->acceptor, Listen(parts->io, options.listen));
  TUTTI_ASSIGN_OR_RETURN(service.keys, LoadKeys(options));
  TUTTI_ASSIGN_OR_RETURN(service.client_tls, MakeClientTls(options.security.ca_certificates));
  TUTTI_RETURN_IF_ERROR(BecomeUser(options.security.user));
  TUTTI_ASSIGN_OR_RETURN(service.spool, Spool::Create(options.files.spool, options.limits.spool_bytes));
  TUTTI_ASSIGN_OR_RETURN(service.models, ModelTable::Load(options, std::move(loader)));
  TUTTI_RETURN_IF_ERROR(StartJobs(service));
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) parts->signals.add(signal);  // one that comes before Run waits
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

std::string Server::url() const {
  IoError ignored;
  const Tcp::endpoint endpoint = parts_->acceptor.local_endpoint(ignored);
  const std::string address = endpoint.address().to_string();
  return fmt::format("{}://{}:{}", parts_->tls != nullptr ? "https" : "http",
                     endpoint.address().is_v6() ? "[" + address + "]" : address, endpoint.port());
}

bool Server::Run() {
  // Writing beyond a limit is an error of that write, not the end of the service.
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);
  asio::co_spawn(parts_->io, parts_->AcceptLoop(), asio::detached);
  asio::co_spawn(parts_->io, parts_->SignalLoop(), asio::detached);
  parts_->service.log->Write(LogLevel::kInfo, "listening", {{"url", url()}});
  parts_->io.run();
  return parts_->finished_all;
}

void Server::Stop() {
  asio::post(parts_->io, [parts = parts_.get()] { parts->StartDraining(); });
}

Awaitable<void> Server::Parts::AcceptLoop() {
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(kAsTuple);
    if (error == asio::error::operation_aborted) break;
    if (error) {  // out of file descriptors, mostly: a pause lets some be closed
      asio::steady_timer pause(io, std::chrono::milliseconds(50));
      co_await pause.async_wait(kAsTuple);
      continue;
    }
    Begin(std::move(socket));
  }
}

void Server::Parts::Begin(Tcp::socket socket) {
  if (service.connections >= service.options.listen.max_connections) {
    IoError ignored;
    socket.non_blocking(true, ignored);
    constexpr std::string_view kBusy =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    if (tls == nullptr) socket.write_some(asio::buffer(kBusy), ignored);
    return;
  }
  ++service.connections;
  asio::co_spawn(io, ServeConnection(service, Transport::Create(std::move(socket), tls.get())),
                 [this](const std::exception_ptr& failure) {
                   --service.connections;
                   if (failure == nullptr) return;
                   try {
                     std::rethrow_exception(failure);
                   } catch (const std::exception& e) {
                     service.log->Write(LogLevel::kError, "connection", {{"what", e.what()}});
                   }
                 });
}

Awaitable<void> Server::Parts::SignalLoop() {
  while (!ended) {  // the end may come during a reload, when nothing waits that it could cancel
    const auto [error, signal] = co_await signals.async_wait(kAsTuple);
    if (error) co_return;
    const Json line = {{"number", signal}};
    service.log->Write(LogLevel::kInfo, "signal", line);
    if (signal == SIGHUP) {
      co_await Reload();
    } else if (service.draining) {
      finished_all = false;
      End();  // asked twice
    } else {
      StartDraining();
    }
  }
}

Awaitable<absl::StatusOr<ServeOptions>> Server::Parts::RereadOptions() {
  if (!reread) co_return service.options;
  auto read = [this] { return reread(); };
  const auto wanted = co_await RunBlocking(service, std::move(read));
  if (!wanted.ok()) co_return wanted.status();
  if (const absl::Status valid = Validate(*wanted); !valid.ok()) co_return valid;
  std::vector<std::string> kept;
  ServeOptions options = OptionsAfterReload(service.options, *wanted, kept);
  if (const absl::Status valid = Validate(options); !valid.ok()) {
    co_return WithContext(valid, fmt::format("with {} as before, until a restart", fmt::join(kept, ", ")));
  }
  for (const std::string& setting : kept) {
    const Json line = {{"setting", setting}};
    service.log->Write(LogLevel::kWarning, "setting needs a restart", line);
  }
  co_return options;
}

Awaitable<void> Server::Parts::Reload() {
  const auto log_failure = [this](const absl::Status& status) {
    const Json line = {{"what", Message(status)}};
    service.log->Write(LogLevel::kError, "reload failed", line);
  };
  const auto options = co_await RereadOptions();
  if (!options.ok()) co_return log_failure(options.status());
  const auto keys = LoadKeys(*options);
  const auto client_tls = MakeClientTls(options->security.ca_certificates);
  for (const absl::Status& status : {keys.status(), client_tls.status()}) {
    if (!status.ok()) co_return log_failure(status);
  }
  service.keys = *keys;
  service.client_tls = *client_tls;
  const auto models_before = std::exchange(service.options, *options).models;
  service.TakeLimits();
  service.log->SetLeast(ParseLevel(options->log.level));
  auto reload = [this, options = *options] { return service.models->Reload(options); };
  const absl::Status models = co_await RunBlocking(service, std::move(reload));
  if (!models.ok()) {
    service.options.models = models_before;
    co_return log_failure(models);
  }
  service.log->Write(LogLevel::kInfo, "reloaded", Json::object());
}

void Server::Parts::StartDraining() {
  if (service.draining) return;
  service.draining = true;
  service.http.is_closing = true;
  // Who has connected already gets an answer.
  IoError error;
  acceptor.non_blocking(true, error);
  while (!error) {
    Tcp::socket socket(io);
    acceptor.accept(socket, error);
    if (!error) Begin(std::move(socket));
  }
  acceptor.close(error);
  if (service.jobs != nullptr) service.jobs->Drain();
  asio::co_spawn(io, Drain(), asio::detached);
}

Awaitable<void> Server::Parts::Drain() {
  const auto deadline = Clock::now() + std::chrono::duration<double>(service.options.limits.drain_seconds);
  // A connection that stays open for a next request is no reason to stay. A request that was let in may still have to
  // arrive before it can be queued, so the models take work until the last has.
  do {
    stop.expires_after(kDrainPoll);
    co_await stop.async_wait(kAsTuple);
  } while (!ended && Unfinished() > 0 && Clock::now() < deadline);
  service.models->Drain();
  finished_all = finished_all && Unfinished() == 0;
  const Json line = {{"unfinished", Unfinished()}};
  service.log->Write(LogLevel::kInfo, "drained", line);
  End();
}

void Server::Parts::End() {
  ended = true;
  signals.cancel();
  stop.cancel();
  for (Transport* transport : service.transports) transport->Abort();
}

}  // namespace tutti
