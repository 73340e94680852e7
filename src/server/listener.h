#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "server/asio.h"
#include "service/config.h"

namespace boost::asio::ssl {
class context;
}

namespace tutti {

// The socket that systemd hands over (sd_listen_fds(3)), else a new one on options.host and port.
absl::StatusOr<Tcp::acceptor> Listen(asio::io_context& io, const ServeOptions::Listen& options);

// TLS 1.2 and later with the certificate and key of the options; null without them.
absl::StatusOr<std::unique_ptr<asio::ssl::context>> MakeTls(const ServeOptions::Listen& options);

// Gives up root for this user, for good.
absl::Status BecomeUser(const std::string& user);

}  // namespace tutti
