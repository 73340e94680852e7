#include <arpa/inet.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "hub/http.h"

namespace {

std::atomic<bool> name_server_answers = false;

}  // namespace

// In place of the C library's: a name server that takes its time over names of one domain.
extern "C" int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints, struct addrinfo** res) {
  using Function = int (*)(const char*, const char*, const struct addrinfo*, struct addrinfo**);
  static const auto system = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
  const bool slow = node != nullptr && std::string_view(node).ends_with(".slow");
  const auto began = std::chrono::steady_clock::now();
  while (slow && !name_server_answers && std::chrono::steady_clock::now() - began < std::chrono::seconds(15)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return slow ? EAI_AGAIN : system(node, service, hints, res);
}

namespace tutti {
namespace {

using std::chrono::steady_clock;
using ::testing::HasSubstr;

// A port of this machine that listens and takes nothing off its queue.
class Port {
 public:
  explicit Port(int backlog) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address_), sizeof(address_)), 0);
    socklen_t size = sizeof(address_);
    EXPECT_EQ(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address_), &size), 0);
    EXPECT_EQ(listen(socket_.get(), backlog), 0);
  }

  // So that the next connection is not even made.
  void Fill() {
    for (int i = 0; i < 4; ++i) {
      waiting_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      const int made = connect(waiting_.back().get(), reinterpret_cast<sockaddr*>(&address_), sizeof(address_));
      EXPECT_TRUE(made == 0 || errno == EINPROGRESS);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }

  void Close() { socket_.Reset(); }
  std::string url() const { return fmt::format("http://127.0.0.1:{}/list", ntohs(address_.sin_port)); }

 private:
  sockaddr_in address_ = {.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  UniqueFd socket_;
  std::vector<UniqueFd> waiting_;
};

// How a request of half a second for a connection and one for the answer ends, all within the time that these allow.
absl::Status Ask(const std::string& url) {
  const auto began = steady_clock::now();
  absl::Status status;
  {
    const auto http = HttpClient::Create(
        {.connect_timeout = std::chrono::milliseconds(500), .stall_timeout = std::chrono::seconds(1)});
    EXPECT_TRUE(http.ok()) << http.status();
    status = (*http)->GetText({.url = url, .headers = {}, .max_bytes = 100}).status();
  }
  EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(10)) << status;
  return status;
}

TEST(UnreachableTest, WhereNobodyListensTheServerIsNamed) {
  Port port(1);
  port.Close();
  const absl::Status status = Ask(port.url());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(status), HasSubstr(port.url() + ": Failed to connect"));
}

TEST(UnreachableTest, WhatTakesNoConnectionIsGivenUp) {
  Port port(0);
  port.Fill();
  const absl::Status status = Ask(port.url());
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Message(status), HasSubstr(port.url()));
}

TEST(UnreachableTest, WhatTakesAConnectionAndIsSilentIsGivenUp) {
  const Port port(4);
  const absl::Status status = Ask(port.url());
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Message(status), HasSubstr(port.url() + ": takes connections, but sent nothing for 1 s"));
}

TEST(UnreachableTest, ANameServerThatIsSilentIsNotWaitedFor) {
  name_server_answers = false;
  const absl::Status status = Ask("http://hub.slow/list");
  name_server_answers = true;
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Message(status), HasSubstr("http://hub.slow/list: Resolving timed out"));
}

TEST(UnreachableTest, ANameThatNobodyKnowsIsTold) {
  name_server_answers = true;
  const absl::Status status = Ask("http://hub.slow/list");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(status), HasSubstr("Could not resolve host: hub.slow"));
}

}  // namespace
}  // namespace tutti
