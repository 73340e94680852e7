#include "server/listener.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <boost/asio/ssl/context.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace tutti {
namespace {

constexpr int kFirstInheritedFd = 3;  // SD_LISTEN_FDS_START

bool IsHandedOver() {
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  return pid != nullptr && count != nullptr && std::to_string(getpid()) == pid && std::atoi(count) == 1;
}

}  // namespace

absl::StatusOr<Tcp::acceptor> Listen(asio::io_context& io, const ServeOptions::Listen& options) {
  Tcp::acceptor acceptor(io);
  IoError error;
  if (IsHandedOver()) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    if (getsockname(kFirstInheritedFd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      return InvalidArgument("LISTEN_FDS: no socket was handed over: {}", std::strerror(errno));
    }
    acceptor.assign(address.ss_family == AF_INET6 ? Tcp::v6() : Tcp::v4(), kFirstInheritedFd, error);
    if (error) return InvalidArgument("LISTEN_FDS: the socket that was handed over: {}", error.message());
    return acceptor;
  }
  const std::string where = fmt::format("listen.host, listen.port: {} port {}", options.host, options.port);
  Tcp::resolver resolver(io);
  const auto found = resolver.resolve(options.host, std::to_string(options.port), Tcp::resolver::passive, error);
  if (error || found.empty()) return InvalidArgument("{}: {}", where, error.message());
  const Tcp::endpoint endpoint = *found.begin();
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(4096, error);
  if (error) return InvalidArgument("{}: {}", where, error.message());
  return acceptor;
}

absl::StatusOr<std::unique_ptr<asio::ssl::context>> MakeTls(const ServeOptions::Listen& options) {
  if (options.tls_certificate.empty()) return nullptr;
  auto tls = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  using Context = asio::ssl::context;
  IoError error;
  tls->set_options(Context::default_workarounds | Context::no_sslv2 | Context::no_sslv3 | Context::no_tlsv1 |
                       Context::no_tlsv1_1 | Context::single_dh_use,
                   error);
  if (!error) tls->use_certificate_chain_file(options.tls_certificate, error);
  if (error) return InvalidArgument("listen.tls_certificate: {}: {}", options.tls_certificate, error.message());
  tls->use_private_key_file(options.tls_key, Context::pem, error);
  if (error) return InvalidArgument("listen.tls_key: {}: {}", options.tls_key, error.message());
  return tls;
}

absl::Status BecomeUser(const std::string& user) {
  if (user.empty() || geteuid() != 0) return absl::OkStatus();
  errno = 0;
  const passwd* entry = getpwnam(user.c_str());
  if (entry == nullptr) return InvalidArgument("security.user: there is no user {}", user);
  if (initgroups(entry->pw_name, entry->pw_gid) != 0 || setgid(entry->pw_gid) != 0 || setuid(entry->pw_uid) != 0) {
    return InvalidArgument("security.user: cannot become {}: {}", user, std::strerror(errno));
  }
  if (entry->pw_uid != 0 && (setuid(0) == 0 || seteuid(0) == 0)) {
    return absl::InternalError(fmt::format("security.user: {} could become root again", user));
  }
  return absl::OkStatus();
}

}  // namespace tutti
