#include "cli/batch_run.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "base/mutex.h"
#include "base/seconds.h"
#include "cli/batch_job.h"

namespace tutti {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kTick(100);         // how late a signal or the bar may be noticed
constexpr std::chrono::milliseconds kLongestStart(50);  // starting many goes on after a look at what has finished

// Outcomes on their way from the job's threads to the one that writes. Thread-safe.
class Outcomes {
 public:
  using Item = std::pair<size_t, Outcome>;

  void Push(size_t index, Outcome outcome) TUTTI_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    items_.emplace_back(index, std::move(outcome));
    changed_.NotifyOne();
  }

  // Everything there is; waits until `deadline` for something.
  std::vector<Item> Take(Clock::time_point deadline) TUTTI_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    while (items_.empty() && changed_.WaitUntil(mu_, deadline)) {
    }
    return std::exchange(items_, {});
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::vector<Item> items_ TUTTI_GUARDED_BY(mu_);
};

class Run {
 public:
  Run(std::span<const Input> inputs, RecordingJob& job, ResultWriter& writer, ProgressDisplay& display,
      const Interrupt& interrupt, const BatchOptions& options)
      : inputs_(inputs),
        job_(job),
        writer_(writer),
        display_(display),
        interrupt_(interrupt),
        options_(options),
        journal_(options.job) {}

  BatchResult ToTheEnd() {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (looks_done(i)) {
        ++result_.state.skipped;
      } else {
        ++result_.state.files;
        result_.state.bytes += inputs_[i].bytes;
      }
    }
    while (true) {
      if (!stopping_ && interrupt_.requested()) {
        result_.interrupted = true;
        Stop();
      }
      const Clock::time_point pause = Clock::now() + kLongestStart;
      while (can_start() && Clock::now() < pause) StartNext();
      Show();
      if (running_ == 0 && (stopping_ || next_ == inputs_.size())) break;
      FinishAll(outcomes_->Take(can_start() ? Clock::now() : Clock::now() + kTick));
    }
    KeepOutputError(writer_.Finish());
    if (journal_ != nullptr) KeepOutputError(journal_->End());
    for (auto& [index, failed] : failed_) result_.failed.push_back(std::move(failed));
    return std::move(result_);
  }

 private:
  bool can_start() const { return !stopping_ && next_ < inputs_.size() && running_ < options_.max_started; }

  bool looks_done(size_t index) const {
    return journal_ != nullptr ? journal_->looks_done(index) : writer_.is_done(index);
  }

  void StartNext() {
    const size_t index = next_++;
    if (journal_ != nullptr && EndedEarlier(index)) return;
    if (writer_.is_done(index)) {
      KeepOutputError(writer_.WriteFailure(index, ""));
    } else if (!inputs_[index].status.ok()) {
      Finish(index, {.status = inputs_[index].status, .texts = {}, .audio_ms = 0});
    } else {
      ++running_;
      if (journal_ != nullptr) journal_->Started(index);
      job_.Start(index, inputs_[index],
                 [outcomes = outcomes_, index](Outcome outcome) { outcomes->Push(index, std::move(outcome)); });
    }
  }

  // What the journal says is done, or has failed for good.
  bool EndedEarlier(size_t index) {
    const auto turn = journal_->Next(index);
    KeepOutputError(turn.status());
    if (!turn.ok() || *turn == BatchJob::Turn::kTranscribe) return !turn.ok();
    if (*turn == BatchJob::Turn::kFailed) {
      Fail(index, journal_->failure(index));
      return true;
    }
    if (!journal_->looks_done(index)) {  // only its time has changed
      --result_.state.files;
      result_.state.bytes -= inputs_[index].bytes;
      ++result_.state.skipped;
    }
    if (writer_.to_files() && writer_.had_all(index) && !journal_->output_is_stale(index)) return true;
    const auto texts = journal_->Texts(index);
    KeepOutputError(texts.ok() ? WriteOutput(index, *texts) : texts.status());
    return true;
  }

  absl::Status WriteOutput(size_t index, std::span<const std::string> texts) {
    TUTTI_RETURN_IF_ERROR(writer_.Write(index, texts));
    if (journal_ != nullptr) journal_->OutputWritten(index);
    return absl::OkStatus();
  }

  void Fail(size_t index, const absl::Status& status) {
    const std::string& file = inputs_[index].path;
    KeepOutputError(writer_.WriteFailure(index, options_.failure_text(file, status)));
    ++result_.state.failed;
    result_.state.bytes_finished += inputs_[index].bytes;
    display_.FileDone(file, status, 0, result_.state);
    failed_.emplace(index, FailedInput{file, status});
  }

  void FinishAll(std::vector<Outcomes::Item> items) {
    running_ -= items.size();
    if (journal_ != nullptr && !items.empty()) {
      const absl::Status recorded = journal_->Record(items);
      KeepOutputError(recorded);
      if (!recorded.ok()) return;
    }
    for (auto& [index, outcome] : items) Finish(index, std::move(outcome));
  }

  void Finish(size_t index, Outcome outcome) {
    const std::string& file = inputs_[index].path;
    if (absl::IsCancelled(outcome.status) && stopping_) return;
    if (outcome.status.ok()) {
      outcome.status = WriteOutput(index, outcome.texts);
      if (!writer_.to_files() || journal_ != nullptr) KeepOutputError(outcome.status);
    } else {
      KeepOutputError(writer_.WriteFailure(index, options_.failure_text(file, outcome.status)));
    }
    RunState& state = result_.state;
    ++(outcome.status.ok() ? state.done : state.failed);
    state.bytes_finished += inputs_[index].bytes;
    finished_audio_ms_ += outcome.audio_ms;
    Measure();
    display_.FileDone(file, outcome.status, SecondsOf(outcome.audio_ms), state);
    if (!outcome.status.ok()) {
      failed_.emplace(index, FailedInput{file, outcome.status});
      if (options_.fail_fast) Stop();
    }
  }

  void Stop() {
    if (std::exchange(stopping_, true)) return;
    job_.CancelAll();
  }

  void KeepOutputError(const absl::Status& status) {
    if (status.ok()) return;
    if (result_.output.ok()) result_.output = status;
    Stop();
  }

  // Work in progress is an estimate that may go back when a file ends; what is shown does not.
  void Measure() {
    const double seconds = SecondsOf(finished_audio_ms_ + job_.audio_ms_in_progress());
    result_.state.audio_seconds =
        running_ == 0 ? SecondsOf(finished_audio_ms_) : std::max(result_.state.audio_seconds, seconds);
    result_.state.elapsed_seconds = SecondsSince(started_);
  }

  void Show() {
    Measure();
    display_.Update(result_.state, Clock::now());
  }

  const std::span<const Input> inputs_;
  RecordingJob& job_;
  ResultWriter& writer_;
  ProgressDisplay& display_;
  const Interrupt& interrupt_;
  const BatchOptions& options_;
  BatchJob* const journal_;  // may be null
  const Clock::time_point started_ = Clock::now();
  const std::shared_ptr<Outcomes> outcomes_ = std::make_shared<Outcomes>();  // outlives a late `done`

  size_t next_ = 0;
  size_t running_ = 0;
  bool stopping_ = false;
  int64_t finished_audio_ms_ = 0;
  std::map<size_t, FailedInput> failed_;
  BatchResult result_;
};

}  // namespace

BatchResult RunBatch(std::span<const Input> inputs, RecordingJob& job, ResultWriter& writer, ProgressDisplay& display,
                     const Interrupt& interrupt, const BatchOptions& options) {
  return Run(inputs, job, writer, display, interrupt, options).ToTheEnd();
}

}  // namespace tutti
