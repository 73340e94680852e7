#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "server/server.h"
#include "tests/engine/fake_parts.h"
#include "tests/server/client.h"
#include "tests/support/eventually.h"

namespace tutti::testing {

// What batches of a fake model pass through; closed, they wait in front of it. Thread-safe.
class Door {
 public:
  void Close() {
    MutexLock lock(mu_);
    closed_ = true;
  }
  void Open() {
    MutexLock lock(mu_);
    closed_ = false;
    changed_.NotifyAll();
  }
  void Pass(int64_t segments) {
    MutexLock lock(mu_);
    arrived_ += segments;
    changed_.NotifyAll();
    while (closed_) changed_.Wait(mu_);
  }
  // Segments that came so far.
  int64_t arrived() {
    MutexLock lock(mu_);
    return arrived_;
  }
  void WaitFor(int64_t segments) {
    MutexLock lock(mu_);
    while (arrived_ < segments) changed_.Wait(mu_);
  }

 private:
  Mutex mu_;
  CondVar changed_;
  bool closed_ TUTTI_GUARDED_BY(mu_) = false;
  int64_t arrived_ TUTTI_GUARDED_BY(mu_) = 0;
};

// A WAV file of a tone.
inline std::string Wav(int number, int64_t ms) {
  const auto count = static_cast<uint32_t>(ms * 16);
  std::string wav(44 + size_t{2} * count, '\0');
  const auto put = [&](size_t at, uint32_t value, size_t bytes) { std::memcpy(wav.data() + at, &value, bytes); };
  wav.replace(0, 4, "RIFF");
  put(4, 36 + 2 * count, 4);
  wav.replace(8, 8, "WAVEfmt ");
  put(16, 16, 4);
  put(20, 1, 2);
  put(22, 1, 2);
  put(24, 16000, 4);
  put(28, 32000, 4);
  put(32, 2, 2);
  put(34, 16, 2);
  wav.replace(36, 4, "data");
  put(40, 2 * count, 4);
  for (uint32_t i = 0; i < count; ++i) {
    const double sample = 9000 * std::sin(0.01 * (number + 3) * i);
    put(44 + size_t{2} * i, static_cast<uint32_t>(static_cast<int16_t>(sample)), 2);
  }
  return wav;
}

inline std::unique_ptr<Recognizer> MakeFake(std::function<void(const ScatteredBatch&)> on_batch = nullptr) {
  return FakeRecognizer(Threads(1), std::move(on_batch));
}

// What a fake model hears in it.
inline std::string TextOf(const std::string& wav) {
  static const auto* recognizer = new std::unique_ptr<Recognizer>(MakeFake());
  const auto transcript = (*recognizer)->Transcribe(AudioInput::Bytes(std::make_shared<std::string>(wav), "a.wav"));
  EXPECT_TRUE(transcript.ok()) << transcript.status();
  return transcript.ok() ? transcript->text : "";
}

inline constexpr const char* kFormType = "multipart/form-data; boundary=xyz";

inline std::string Form(const Headers& fields, std::string_view file = "") {
  std::string form;
  for (const auto& [name, value] : fields) {
    form += fmt::format("--xyz\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n", name, value);
  }
  if (!file.empty()) {
    form += "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n";
    form += std::string(file) + "\r\n";
  }
  return form + "--xyz--\r\n";
}

inline std::string PostForm(std::string_view target, const Headers& fields, std::string_view file,
                            Headers headers = {}) {
  headers.emplace_back("Content-Type", kFormType);
  return MakeRequest("POST", target, headers, Form(fields, file));
}

inline nlohmann::json Parse(const std::string& text) { return nlohmann::json::parse(text, nullptr, false); }

inline ServeOptions QuietOptions() {
  ServeOptions options;
  options.listen.port = 0;
  options.models.model = {"fake"};
  options.log.level = "error";
  return options;
}

// The model of this name is a Whisper with random weights, not a fake.
inline constexpr std::string_view kTinyWhisperName = "tiny-whisper";

// A service on a port of its own, with fake models that pass through `door`; ends with the object.
class FakeServer {
 public:
  explicit FakeServer(const ServeOptions& options = QuietOptions(), Server::OptionsReader reread = nullptr,
                      bool door_is_open = true) {
    if (!door_is_open) door_.Close();
    auto created = Server::Create(
        options, [this](const ServeOptions& of_load, const std::string& given) { return LoadFake(of_load, given); },
        std::move(reread));
    EXPECT_TRUE(created.ok()) << created.status();
    if (!created.ok()) std::abort();
    server_ = *std::move(created);
    const std::string url = server_->url();
    port_ = std::atoi(url.substr(url.rfind(':') + 1).c_str());
    thread_ = std::thread([this] { finished_all_ = server_->Run(); });
  }
  ~FakeServer() { Stop(); }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  Server& server() { return *server_; }
  int port() const { return port_; }
  Door& door() { return door_; }
  // How often models were loaded.
  int loads() const { return loads_; }

  // Opens the door and ends the service; what Run returned.
  bool Stop() {
    door_.Open();
    server_->Stop();
    return Join();
  }
  bool Join() {
    if (thread_.joinable()) thread_.join();
    return finished_all_;
  }

  Answer Ask(std::string_view request) { return Client(port_).Ask(request); }
  Answer Get(std::string_view target, const Headers& headers = {}) { return Ask(MakeRequest("GET", target, headers)); }

  // Requests accepted and not finished.
  int64_t Pending() {
    const nlohmann::json queue = Parse(Get("/v1/status").body)["queue"];
    return queue["waiting"].get<int64_t>() + queue["running"].get<int64_t>();
  }

  // A value of /metrics, without labels; NaN when it is not there.
  double Metric(const std::string& name) {
    const std::string text = "\n" + Get("/metrics").body;
    const size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? std::nan("") : std::atof(text.c_str() + at + name.size() + 2);
  }

  // Of uploads, in a while.
  bool NothingIsLeft() {
    return Eventually([this] { return Metric("tutti_uploads") == 0 && Metric("tutti_spool_bytes") == 0; });
  }

 private:
  absl::StatusOr<LoadedModel> LoadFake(const ServeOptions& options, const std::string& given) {
    if (given == "missing") return NotFound("models.model: there is no missing");
    ++loads_;
    std::shared_ptr<Recognizer> recognizer;
    if (given == kTinyWhisperName) {
      RecognizerOptions tiny;
      tiny.model = TUTTI_SOURCE_DIR "/tests/data/fixtures/whisper_tiny";
      tiny.threads = 1;
      auto whisper = Recognizer::Create(tiny);
      if (!whisper.ok()) return whisper.status();
      recognizer = *std::move(whisper);
    } else {
      recognizer = MakeFake([this](const ScatteredBatch& batch) { door_.Pass(batch.segments()); });
    }
    auto dispatcher =
        std::make_unique<Dispatcher>(recognizer, DispatcherOptions{.queue_seconds = options.limits.queue_seconds});
    return LoadedModel{.name = given, .recognizer = recognizer, .dispatcher = std::move(dispatcher)};
  }

  Door door_;
  std::atomic<int> loads_ = 0;
  std::unique_ptr<Server> server_;
  int port_ = 0;
  std::thread thread_;
  bool finished_all_ = false;
};

}  // namespace tutti::testing
