#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "server/server.h"
#include "tests/engine/fake_parts.h"

namespace tutti::testing {

// A server with a fake model on a port of the system's choice, on a thread of its own.
class RunningServer {
 public:
  using OnBatch = std::function<void(const ScatteredBatch&)>;

  explicit RunningServer(ServeOptions options = {}, OnBatch on_batch = nullptr) {
    options.listen.port = 0;
    options.log.level = "error";
    if (options.models.model.empty()) options.models.model = {"fake"};
    const double queue_seconds = options.limits.queue_seconds;
    auto server = Server::Create(options, [on_batch, queue_seconds](const std::string& name) {
      RecognizerOptions one_worker;
      one_worker.threads = 1;
      std::shared_ptr<Recognizer> recognizer = FakeRecognizer(one_worker, on_batch);
      auto dispatcher = std::make_unique<Dispatcher>(recognizer, DispatcherOptions{.queue_seconds = queue_seconds});
      return LoadedModel{.name = name, .recognizer = recognizer, .dispatcher = std::move(dispatcher)};
    });
    server_ = *std::move(server);
    const std::string url = server_->url();
    port_ = std::stoi(url.substr(url.rfind(':') + 1));
    thread_ = std::thread([this] { finished_all_ = server_->Run(); });
  }
  ~RunningServer() { Stop(); }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  int port() const { return port_; }
  void BeginStop() { server_->Stop(); }
  // True when nothing was left unfinished.
  bool Stop() {
    if (thread_.joinable()) {
      server_->Stop();
      thread_.join();
    }
    return finished_all_;
  }

 private:
  std::unique_ptr<Server> server_;
  int port_ = 0;
  bool finished_all_ = false;
  std::thread thread_;
};

}  // namespace tutti::testing
