// Many threads that submit, cancel and set deadlines at random, against the real engine with a network that needs no
// weights.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "service/dispatcher.h"
#include "tests/engine/fake_parts.h"
#include "tests/support/eventually.h"

namespace tutti {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kThreads = 8, kRequests = 60, kTones = 4;

AudioInput ToneOf(int number) { return testing::Tone(number, 100 + 200 * number); }

// What one thread submitted and what it was told.
struct Client {
  struct Request {
    int tone = 0;
    bool accepted = false, has_deadline = false;
    std::shared_ptr<Dispatcher::Ticket> ticket;
    std::atomic<int> times_told = 0;
    std::atomic<absl::StatusCode> code = absl::StatusCode::kUnknown;
    std::string text;
    std::atomic<bool> cancelled = false;
  };

  void Run(Dispatcher& dispatcher, unsigned seed) {
    std::mt19937 random(seed);
    const auto below = [&random](int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random); };
    for (Request& request : requests) {
      request.tone = below(kTones);
      Dispatcher::Work work;
      work.tenant = std::string(1, static_cast<char>('a' + below(3)));
      work.seconds = std::uniform_real_distribution<double>(0.01, 3)(random);
      work.input = ToneOf(request.tone);
      work.options.priority = below(3) == 0 ? Priority::kInteractive : Priority::kBatch;
      work.options.progress = [](const Progress&) {};
      if (below(4) == 0) {
        work.options.deadline = steady_clock::now() + milliseconds(below(30) - 2);
        request.has_deadline = true;
      }
      work.on_done = [&request](const absl::StatusOr<Transcript>& result) {
        if (result.ok()) request.text = result->text;
        request.code = result.status().code();
        ++request.times_told;
      };
      auto ticket = dispatcher.Submit(std::move(work));
      request.accepted = ticket.ok();
      if (!ticket.ok()) {
        EXPECT_TRUE(absl::IsResourceExhausted(ticket.status()) || absl::IsUnavailable(ticket.status()));
        std::this_thread::yield();
        continue;
      }
      request.ticket = *ticket;
      if (below(3) > 0) continue;
      // Any of this thread's so far: it may wait, be handed over, run or have ended.
      Request& other = requests[static_cast<size_t>(below(static_cast<int>(&request - requests.data()) + 1))];
      if (other.ticket == nullptr) continue;
      other.cancelled = true;
      other.ticket->Cancel();
    }
  }

  void Check(const std::array<std::string, kTones>& texts) const {
    for (const Request& request : requests) {
      ASSERT_EQ(request.times_told, request.accepted ? 1 : 0);
      if (!request.accepted) continue;
      switch (request.code) {
        case absl::StatusCode::kOk:
          EXPECT_EQ(request.text, texts[static_cast<size_t>(request.tone)]);
          break;
        case absl::StatusCode::kDeadlineExceeded:
          EXPECT_TRUE(request.has_deadline);
          break;
        default:
          EXPECT_EQ(request.code, absl::StatusCode::kCancelled);
          EXPECT_TRUE(request.cancelled || ended_early);
      }
    }
  }

  bool ended_early = false;
  std::vector<Request> requests = std::vector<Request>(kRequests);
};

class DispatcherStressTest : public ::testing::Test {
 protected:
  DispatcherStressTest() {
    RecognizerOptions options;
    options.threads = 2;
    options.max_pending = 3;  // so that it refuses, too
    recognizer_ = testing::FakeRecognizer(options);
    for (int i = 0; i < kTones; ++i) texts_[static_cast<size_t>(i)] = recognizer_->Transcribe(ToneOf(i))->text;
    dispatcher_ = std::make_unique<Dispatcher>(
        recognizer_, DispatcherOptions{.queue_seconds = 60, .interactive_share = 0.125, .window_seconds = 6});
  }

  void StartThreads() {
    for (int i = 0; i < kThreads; ++i) {
      threads_.emplace_back(
          [this, i] { clients_[static_cast<size_t>(i)].Run(*dispatcher_, static_cast<unsigned>(i)); });
    }
  }
  void JoinThreads() {
    for (std::thread& thread : threads_) thread.join();
  }

  std::shared_ptr<Recognizer> recognizer_;
  std::array<std::string, kTones> texts_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::vector<Client> clients_ = std::vector<Client>(kThreads);
  std::vector<std::thread> threads_;
};

TEST_F(DispatcherStressTest, EveryAcceptedRequestIsToldOnceAndTheSumsReturnToZero) {
  StartThreads();
  JoinThreads();
  EXPECT_TRUE(testing::Eventually([&] { return dispatcher_->load().waiting + dispatcher_->load().running == 0; }));
  const Dispatcher::Load load = dispatcher_->load();
  EXPECT_EQ(load.waiting_seconds, 0);
  EXPECT_EQ(load.running_seconds, 0);
  dispatcher_ = nullptr;
  int done = 0;
  for (const Client& client : clients_) {
    client.Check(texts_);
    for (const auto& request : client.requests) done += request.code == absl::StatusCode::kOk ? 1 : 0;
  }
  EXPECT_GT(done, 0);
}

TEST_F(DispatcherStressTest, TheEndAmidWorkTellsEveryAcceptedRequestOnce) {
  StartThreads();
  JoinThreads();
  dispatcher_ = nullptr;
  for (Client& client : clients_) {
    client.ended_early = true;
    client.Check(texts_);
  }
}

TEST_F(DispatcherStressTest, NothingAcceptedBeforeADrainIsLostAndNothingIsAcceptedAfter) {
  StartThreads();
  dispatcher_->Drain();
  const auto refused = dispatcher_->Submit({.tenant = "a", .input = ToneOf(1), .options = {}, .on_done = nullptr});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  JoinThreads();
  EXPECT_TRUE(testing::Eventually([&] { return dispatcher_->load().waiting + dispatcher_->load().running == 0; }));
  dispatcher_ = nullptr;
  for (const Client& client : clients_) client.Check(texts_);
}

}  // namespace
}  // namespace tutti
