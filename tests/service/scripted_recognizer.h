#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "tests/support/eventually.h"
#include "tutti/recognizer.h"

namespace tutti::testing {

// A recogniser that does what the test says, when it says so: recordings are known by their names, run until Finish or
// Fail, and end with Cancelled, from a thread of its own, when they are cancelled.
//
// Thread-safe.
class ScriptedRecognizer final : public Recognizer {
 public:
  ~ScriptedRecognizer() override {
    for (std::thread& thread : threads_) thread.join();
  }

  // The next Submits give these errors, one each.
  void Refuse(std::vector<absl::Status> errors) {
    MutexLock lock(mu_);
    refusals_.assign(errors.begin(), errors.end());
  }
  // Called within Submit, before it looks at anything and after it has accepted.
  void OnSubmit(std::function<void(const std::string& name)> before,
                std::function<void(const std::string& name)> after = nullptr) {
    MutexLock lock(mu_);
    before_submit_ = std::move(before);
    after_submit_ = std::move(after);
  }

  absl::StatusOr<std::shared_ptr<Transcription>> Submit(AudioInput input, const TranscribeOptions& options,
                                                        OnDone on_done) override {
    const std::string& name = input.name();
    std::function<void(const std::string&)> before, after;
    {
      MutexLock lock(mu_);
      before = before_submit_;
      after = after_submit_;
    }
    if (before) before(name);
    {
      MutexLock lock(mu_);
      if (!refusals_.empty()) {
        const absl::Status refusal = refusals_.front();
        refusals_.pop_front();
        ++refused_;
        return refusal;
      }
      begun_.push_back(name);
      running_[name] = {options, std::move(on_done)};
      most_running_ = std::max(most_running_, running_.size());
    }
    if (after) after(name);
    return std::make_shared<Handle>(*this, name);
  }

  // Waits until it has begun. The calls return after on_done.
  void Finish(const std::string& name, double seconds) {
    Transcript transcript;
    transcript.file = name;
    transcript.duration_ms = static_cast<int64_t>(seconds * 1000);
    End(name, std::move(transcript));
  }
  void Fail(const std::string& name, const absl::Status& status) { End(name, status); }

  // Waits until it has begun.
  void Report(const std::string& name, const Progress& progress) {
    std::function<void(const Progress&)> report;
    const bool begun = Eventually([&] {
      MutexLock lock(mu_);
      const auto found = running_.find(name);
      if (found != running_.end()) report = found->second.options.progress;
      return found != running_.end();
    });
    if (begun) report(progress);
  }

  bool HasBegun(const std::string& name) {
    return Eventually([&] { return std::ranges::count(begun(), name) > 0; });
  }
  std::vector<std::string> begun() const {
    MutexLock lock(mu_);
    return begun_;
  }
  std::vector<std::string> cancelled() const {
    MutexLock lock(mu_);
    return cancelled_;
  }
  size_t most_running() const {
    MutexLock lock(mu_);
    return most_running_;
  }
  int refused() const {
    MutexLock lock(mu_);
    return refused_;
  }

  absl::StatusOr<Transcript> Transcribe(AudioInput, const TranscribeOptions&) override { return kNot; }
  void TranscribeFiles(std::span<const std::string>, const TranscribeOptions&, const OnResult&) override {}
  absl::StatusOr<std::unique_ptr<VadSession>> OpenStream(const VadOptions&) override { return kNot; }
  absl::StatusOr<SpeechResult> DetectSpeech(AudioInput, const TranscribeOptions&) override { return kNot; }
  RecognizerStats stats() const override { return {}; }
  int threads() const override { return 1; }
  ComputeType compute_type() const override { return ComputeType::kF32; }
  VadOptions default_vad_options() const override { return {}; }

 private:
  struct Running {
    TranscribeOptions options;
    OnDone on_done;
  };

  class Handle final : public Transcription {
   public:
    Handle(ScriptedRecognizer& owner, std::string name) : owner_(owner), name_(std::move(name)) {}
    const absl::StatusOr<Transcript>& Wait() override { return none_; }
    bool done() const override { return false; }
    void Cancel() override { owner_.Cancel(name_); }

   private:
    ScriptedRecognizer& owner_;
    const std::string name_;
    const absl::StatusOr<Transcript> none_ = absl::UnimplementedError("scripted");
  };

  std::optional<Running> Take(const std::string& name) {
    MutexLock lock(mu_);
    const auto found = running_.find(name);
    if (found == running_.end()) return std::nullopt;
    std::optional<Running> taken = std::move(found->second);
    running_.erase(found);
    return taken;
  }

  void End(const std::string& name, const absl::StatusOr<Transcript>& result) {
    std::optional<Running> taken;
    if (Eventually([&] { return (taken = Take(name)).has_value(); })) taken->on_done(result);
  }

  void Cancel(const std::string& name) {
    MutexLock lock(mu_);
    cancelled_.push_back(name);
    threads_.emplace_back([this, name] {
      if (const auto taken = Take(name)) taken->on_done(absl::CancelledError("cancelled by the recogniser"));
    });
  }

  const absl::Status kNot = absl::UnimplementedError("scripted");

  mutable Mutex mu_;
  std::function<void(const std::string&)> before_submit_ TUTTI_GUARDED_BY(mu_), after_submit_ TUTTI_GUARDED_BY(mu_);
  std::deque<absl::Status> refusals_ TUTTI_GUARDED_BY(mu_);
  std::map<std::string, Running> running_ TUTTI_GUARDED_BY(mu_);
  std::vector<std::string> begun_ TUTTI_GUARDED_BY(mu_), cancelled_ TUTTI_GUARDED_BY(mu_);
  size_t most_running_ TUTTI_GUARDED_BY(mu_) = 0;
  int refused_ TUTTI_GUARDED_BY(mu_) = 0;
  std::vector<std::thread> threads_;  // added to under mu_
};

}  // namespace tutti::testing
