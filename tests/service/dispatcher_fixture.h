#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "service/dispatcher.h"
#include "tests/service/scripted_recognizer.h"
#include "tests/support/eventually.h"

namespace tutti::testing {

// The results of requests by name.
class Results {
 public:
  std::function<void(const absl::StatusOr<Transcript>&)> For(const std::string& name) {
    return [this, name](const absl::StatusOr<Transcript>& result) {
      MutexLock lock(mu_);
      codes_[name].push_back(result.status().code());
      messages_[name] = Message(result.status());
    };
  }
  std::vector<absl::StatusCode> Codes(const std::string& name) const {
    MutexLock lock(mu_);
    const auto found = codes_.find(name);
    return found == codes_.end() ? std::vector<absl::StatusCode>() : found->second;
  }
  bool Ended(const std::string& name) const {
    return Eventually([&] { return !Codes(name).empty(); });
  }
  std::string MessageOf(const std::string& name) const {
    MutexLock lock(mu_);
    return messages_.at(name);
  }

 private:
  mutable Mutex mu_;
  std::map<std::string, std::vector<absl::StatusCode>> codes_ TUTTI_GUARDED_BY(mu_);
  std::map<std::string, std::string> messages_ TUTTI_GUARDED_BY(mu_);
};

class DispatcherTest : public ::testing::Test {
 protected:
  void Start(DispatcherOptions options) { dispatcher_ = std::make_unique<Dispatcher>(recognizer_, options); }

  Dispatcher::Work Work(const std::string& name, double seconds, Priority priority = Priority::kBatch) {
    Dispatcher::Work work;
    work.tenant = name.substr(0, 1);
    work.seconds = seconds;
    work.input = AudioInput::File(name);
    work.options.priority = priority;
    work.on_done = results_.For(name);
    return work;
  }
  std::shared_ptr<Dispatcher::Ticket> Submit(Dispatcher::Work work) {
    auto ticket = dispatcher_->Submit(std::move(work));
    EXPECT_TRUE(ticket.ok()) << ticket.status();
    return ticket.ok() ? *ticket : nullptr;
  }
  std::shared_ptr<Dispatcher::Ticket> Submit(const std::string& name, double seconds,
                                             Priority priority = Priority::kBatch) {
    return Submit(Work(name, seconds, priority));
  }
  // Occupies a window of 1 s, so that what follows waits.
  void Block() {
    auto work = Work("blocker", 1);
    work.tenant = "nobody else";
    Submit(std::move(work));
    ASSERT_TRUE(recognizer_->HasBegun("blocker"));
  }

  Results results_;
  std::shared_ptr<ScriptedRecognizer> recognizer_ = std::make_shared<ScriptedRecognizer>();
  std::unique_ptr<Dispatcher> dispatcher_;
};

inline constexpr DispatcherOptions kOneAtATime = {.window_seconds = 0.001};

}  // namespace tutti::testing
