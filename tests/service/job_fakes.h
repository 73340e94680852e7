#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "service/dispatcher.h"
#include "service/job_clock.h"
#include "service/job_runner.h"
#include "service/job_spool.h"
#include "tests/support/eventually.h"
#include "tests/support/folder.h"

namespace tutti::testing {

class FakeClock final : public JobClock {
 public:
  int64_t unix_ms() const override { return 1'700'000'000'000 + ms_ + jump_ms_; }
  std::chrono::steady_clock::time_point now() const override {
    return std::chrono::steady_clock::time_point(std::chrono::hours(1) + std::chrono::milliseconds(ms_));
  }
  void Advance(std::chrono::milliseconds by) { ms_ += by.count(); }
  // As when somebody sets the system's clock.
  void Jump(std::chrono::milliseconds by) { jump_ms_ += by.count(); }

 private:
  std::atomic<int64_t> ms_ = 0, jump_ms_ = 0;
};

// Takes work like a Dispatcher; the test says when and how it ends. Work goes by the name of its input.
class FakeDispatcher {
 public:
  // Refuses with this until it is OK again.
  void Refuse(absl::Status status) {
    MutexLock lock(mu_);
    refusal_ = std::move(status);
  }

  absl::StatusOr<std::shared_ptr<Dispatcher::Ticket>> Submit(Dispatcher::Work work) {
    MutexLock lock(mu_);
    ++submissions_;
    if (!refusal_.ok()) return refusal_;
    const std::string name = work.input.name();
    order_.push_back(name);
    for (const auto& [other, pending] : pending_) company_.insert({other, name});
    pending_.emplace(name, std::move(work));
    most_at_once_ = std::max(most_at_once_, pending_.size());
    return std::make_shared<FakeTicket>(*this, name);
  }

  // Waits for the work and ends it.
  void End(const std::string& name, const absl::StatusOr<Transcript>& result) {
    ASSERT_TRUE(Eventually([&] { return Has(name); })) << name << " was not submitted";
    EndIfPending(name, result);
  }
  void End(const std::string& name) {
    Transcript transcript;
    transcript.text = name;
    End(name, transcript);
  }

  void Tell(const std::string& name, const Progress& progress) {
    std::function<void(const Progress&)> tell;
    {
      MutexLock lock(mu_);
      tell = pending_.at(name).options.progress;
    }
    tell(progress);
  }

  bool Has(const std::string& name) {
    MutexLock lock(mu_);
    return pending_.contains(name);
  }
  std::string TenantOf(const std::string& name) {
    MutexLock lock(mu_);
    return pending_.at(name).tenant;
  }
  std::vector<std::string> order() {  // of what was accepted
    MutexLock lock(mu_);
    return order_;
  }
  int submissions() {
    MutexLock lock(mu_);
    return submissions_;
  }
  // Another was pending at the same time.
  bool HadCompany(const std::string& name) {
    MutexLock lock(mu_);
    return std::any_of(company_.begin(), company_.end(),
                       [&](const auto& pair) { return pair.first == name || pair.second == name; });
  }
  size_t most_at_once() {
    MutexLock lock(mu_);
    return most_at_once_;
  }

 private:
  class FakeTicket final : public Dispatcher::Ticket {
   public:
    FakeTicket(FakeDispatcher& dispatcher, std::string name) : dispatcher_(dispatcher), name_(std::move(name)) {}
    void Cancel() override { dispatcher_.EndIfPending(name_, absl::CancelledError("cancelled")); }

   private:
    FakeDispatcher& dispatcher_;
    const std::string name_;
  };

  void EndIfPending(const std::string& name, const absl::StatusOr<Transcript>& result) {
    std::optional<Dispatcher::Work> work;
    {
      MutexLock lock(mu_);
      const auto found = pending_.find(name);
      if (found == pending_.end()) return;
      work = std::move(found->second);
      pending_.erase(found);
    }
    work->on_done(result);
  }

  Mutex mu_;
  absl::Status refusal_ TUTTI_GUARDED_BY(mu_);
  std::map<std::string, Dispatcher::Work> pending_ TUTTI_GUARDED_BY(mu_);
  std::vector<std::string> order_ TUTTI_GUARDED_BY(mu_);
  std::set<std::pair<std::string, std::string>> company_ TUTTI_GUARDED_BY(mu_);
  int submissions_ TUTTI_GUARDED_BY(mu_) = 0;
  size_t most_at_once_ TUTTI_GUARDED_BY(mu_) = 0;
};

struct Posted {
  std::string url, body;
  std::map<std::string, std::string> headers;
  WebhookSender::Done done;
};

// Keeps what is POSTed; the test answers.
class FakePost {
 public:
  void operator()(const std::string& url, const std::vector<std::pair<std::string, std::string>>& headers,
                  std::string body, WebhookSender::Done done) {
    MutexLock lock(mu_);
    posted_.push_back({url, std::move(body), {headers.begin(), headers.end()}, std::move(done)});
  }

  // The n-th POST of all, counted from 0, after waiting for it.
  Posted At(size_t n) {
    EXPECT_TRUE(Eventually([&] { return size() > n; })) << "POST " << n << " did not come";
    MutexLock lock(mu_);
    return n < posted_.size() ? posted_[n] : Posted{.url = "", .body = "", .headers = {}, .done = [](const auto&) {}};
  }
  size_t size() {
    MutexLock lock(mu_);
    return posted_.size();
  }

 private:
  Mutex mu_;
  std::vector<Posted> posted_ TUTTI_GUARDED_BY(mu_);
};

// A store, a spool and a runner over a fake dispatcher. A job's parameters are the seconds of its audio.
class JobRunnerTest : public ::testing::Test {
 protected:
  JobRunnerTest() {
    options_.spool = folder_.path();
    options_.webhooks.secret = "0123456789abcdef";
  }

  void OpenStore() {
    if (store_ != nullptr) return;
    auto store = JobStore::Open(folder_ / "jobs.db");
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  void StartService() {
    OpenStore();
    JobRunner::Parts parts;
    parts.prepare = [this](const Job& job) -> absl::StatusOr<JobRunner::Prepared> {
      if (job.parameters == "bad") return InvalidArgument("parameters: bad");
      JobRunner::Prepared prepared;
      prepared.work.seconds = job.parameters.empty() ? 1 : std::stod(job.parameters);
      prepared.work.input = AudioInput::Bytes(std::make_shared<std::string>(), job.file_name);
      prepared.submit = [this](Dispatcher::Work work) { return dispatcher_.Submit(std::move(work)); };
      return prepared;
    };
    parts.render = [](const Transcript& transcript) { return "{\"text\":\"" + transcript.text + "\"}"; };
    parts.post = [this](const auto& url, auto headers, auto body, auto done) { post_(url, headers, body, done); };
    parts.report = [this](const absl::Status& status) {
      MutexLock lock(mu_);
      reports_.push_back(Message(status));
    };
    parts.count_audio = [this](int64_t bytes) { audio_bytes_ += bytes; };
    auto runner = JobRunner::Create(*store_, clock_, options_, parts);
    ASSERT_TRUE(runner.ok()) << runner.status();
    runner_ = *std::move(runner);
  }

  void Stop() { runner_.reset(); }

  Job MakeJob(const std::string& name, const std::string& tenant = "anna", const std::string& parameters = "") {
    Job job;
    job.id = JobStore::NewId();
    job.tenant = tenant;
    job.file_name = name;
    job.parameters = parameters;
    job.created_ms = ++created_;
    job.audio_path = JobAudioPath(folder_.path(), job.id);
    folder_.Write("upload", "audio");
    EXPECT_EQ(KeepUpload(folder_ / "upload", job.audio_path), absl::OkStatus());
    return job;
  }

  Job Submit(const Job& job) {
    EXPECT_EQ(runner_->Submit(job), absl::OkStatus());
    return job;
  }
  Job Submit(const std::string& name) { return Submit(MakeJob(name)); }

  // Leaves the job as a service does that was killed while it ran for the n-th time.
  Job Crashed(const Job& job, int times) {
    OpenStore();
    EXPECT_EQ(store_->Add(job), absl::OkStatus());
    for (int i = 0; i < times; ++i) {
      EXPECT_TRUE(store_->Recover().ok());
      EXPECT_EQ(store_->Start(job.id, 1), absl::OkStatus());
    }
    return job;
  }

  Job Now(const Job& job) {
    const auto found = runner_ ? runner_->Get(job.id, job.tenant) : store_->Get(job.id, job.tenant);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *found : Job();
  }
  bool Becomes(const Job& job, JobState state) {
    return Eventually([&] { return Now(job).state == state; });
  }
  static bool AudioIsGone(const Job& job) {
    return Eventually([&] { return !std::filesystem::exists(job.audio_path); });
  }
  bool Reported(const std::string& part) {
    return Eventually([&] {
      MutexLock lock(mu_);
      return std::any_of(reports_.begin(), reports_.end(),
                         [&](const std::string& text) { return text.find(part) != std::string::npos; });
    });
  }
  void Advance(std::chrono::milliseconds by) {
    clock_.Advance(by);
    runner_->Wake();
  }

  Folder folder_;
  FakeClock clock_;
  FakeDispatcher dispatcher_;
  FakePost post_;
  JobRunnerOptions options_;
  int64_t created_ = 0;
  std::atomic<int64_t> audio_bytes_ = 0;
  Mutex mu_;
  std::vector<std::string> reports_ TUTTI_GUARDED_BY(mu_);
  std::unique_ptr<JobStore> store_;
  std::unique_ptr<JobRunner> runner_;
};

}  // namespace tutti::testing
