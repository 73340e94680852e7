#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "tests/server/certificates.h"

namespace tutti::testing {

// Somebody else's HTTPS server on 127.0.0.1: answers every request with 200 and "hello", one connection at a time,
// until the object ends. Thread-safe.
class TlsPeer {
 public:
  TlsPeer(const std::string& certificate, const std::string& key)
      : context_(SSL_CTX_new(TLS_server_method())), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    EXPECT_EQ(SSL_CTX_use_certificate_chain_file(context_.get(), certificate.c_str()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(), SSL_FILETYPE_PEM), 1);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    socklen_t size = sizeof(address);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    EXPECT_EQ(listen(listener_, 16), 0);
    thread_ = std::thread([this] { Run(); });
  }
  ~TlsPeer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  int port() const { return port_; }
  // Header and body as they came.
  std::vector<std::string> requests() {
    MutexLock lock(mu_);
    return requests_;
  }

 private:
  void Run() {
    while (true) {
      const int fd = accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      const timeval patience{.tv_sec = 60, .tv_usec = 0};
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
      const std::unique_ptr<SSL, FreeTls> ssl(SSL_new(context_.get()));
      SSL_set_fd(ssl.get(), fd);
      if (SSL_accept(ssl.get()) == 1) Answer(ssl.get());
      close(fd);
    }
  }

  void Answer(SSL* ssl) {
    std::string request;
    char bytes[4096];
    while (!IsWhole(request)) {
      const int count = SSL_read(ssl, bytes, sizeof(bytes));
      if (count <= 0) return;
      request.append(bytes, static_cast<size_t>(count));
    }
    {
      MutexLock lock(mu_);
      requests_.push_back(request);
    }
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
    SSL_shutdown(ssl);
  }

  static bool IsWhole(const std::string& request) {
    const size_t end = request.find("\r\n\r\n"), length = request.find("Content-Length: ");
    if (end == std::string::npos) return false;
    return length > end || request.size() >= end + 4 + std::stoul(request.substr(length + 16));
  }

  const std::unique_ptr<SSL_CTX, FreeTls> context_;
  const int listener_;
  int port_ = 0;
  std::thread thread_;
  Mutex mu_;
  std::vector<std::string> requests_ TUTTI_GUARDED_BY(mu_);
};

}  // namespace tutti::testing
