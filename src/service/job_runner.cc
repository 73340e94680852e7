#include "service/job_runner.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "service/job_spool.h"

namespace tutti {
namespace {

// The job has ended otherwise, or is gone: nothing is left to do for it.
bool HasBeenEnded(const absl::Status& status) { return absl::IsFailedPrecondition(status) || absl::IsNotFound(status); }

}  // namespace

JobRunner::JobRunner(JobStore& store, const JobClock& clock, JobRunnerOptions options, Parts parts)
    : store_(store),
      clock_(clock),
      options_(std::move(options)),
      parts_(std::move(parts)),
      webhooks_(parts_.post && !options_.webhooks.secret.empty()
                    ? std::make_unique<WebhookSender>(store, clock, options_.webhooks, parts_.post, parts_.report)
                    : nullptr),
      began_unix_ms_(clock.unix_ms()),
      began_(clock.now()) {}

absl::StatusOr<std::unique_ptr<JobRunner>> JobRunner::Create(JobStore& store, const JobClock& clock,
                                                             JobRunnerOptions options, Parts parts) {
  std::unique_ptr<JobRunner> runner(new JobRunner(store, clock, std::move(options), std::move(parts)));
  TUTTI_RETURN_IF_ERROR(WithContext(runner->Recover(), "jobs of the last run"));
  runner->thread_ = std::thread([self = runner.get()] { self->Run(); });
  return runner;
}

absl::Status JobRunner::Recover() {
  TUTTI_ASSIGN_OR_RETURN(std::vector<Job> jobs, store_.Recover());
  std::set<std::string> in_use;
  for (Job& job : jobs) {
    if (job.attempts >= options_.max_starts) {
      const std::string why = fmt::format("crashed its server: {} starts without an end", job.attempts);
      Report(absl::AbortedError(fmt::format("job {}: {}", job.id, why)));
      TUTTI_RETURN_IF_ERROR(
          store_.Fail(job.id, absl::StatusCodeToString(absl::StatusCode::kAborted), why, clock_.unix_ms()));
      continue;
    }
    in_use.insert(job.audio_path);
    MutexLock lock(mu_);
    Enqueue({.job = std::move(job)}, /*in_front=*/false);
  }
  TUTTI_ASSIGN_OR_RETURN(const int64_t audio_bytes, RemoveLeftOverAudio(options_.spool, in_use));
  if (parts_.count_audio) parts_.count_audio(audio_bytes);
  if (webhooks_ == nullptr) return absl::OkStatus();
  TUTTI_ASSIGN_OR_RETURN(const std::vector<Job> untold, store_.UndeliveredWebhooks());
  for (const Job& job : untold) webhooks_->Deliver(job);
  return absl::OkStatus();
}

JobRunner::~JobRunner() {
  std::vector<std::shared_ptr<Dispatcher::Ticket>> tickets;
  {
    MutexLock lock(mu_);
    stopping_ = true;
    for (const auto& [id, running] : running_) {
      if (running.ticket != nullptr) tickets.push_back(running.ticket);
    }
    changed_.NotifyAll();
  }
  for (const auto& ticket : tickets) ticket->Cancel();
  if (thread_.joinable()) thread_.join();
}

absl::Status JobRunner::Submit(Job job) {
  if (!job.webhook.empty() && webhooks_ == nullptr) {
    return FailedPrecondition("webhook: webhooks are off, for security.webhook_secret is not set");
  }
  TUTTI_RETURN_IF_ERROR(store_.Add(job));
  MutexLock lock(mu_);
  Enqueue({.job = std::move(job)}, /*in_front=*/false);
  changed_.NotifyAll();
  return absl::OkStatus();
}

absl::StatusOr<Job> JobRunner::Get(std::string_view id, std::string_view tenant) const {
  TUTTI_ASSIGN_OR_RETURN(Job job, store_.Get(id, tenant));
  MutexLock lock(mu_);
  const auto running = running_.find(job.id);
  if (job.state == JobState::kRunning && running != running_.end()) job.progress = running->second.progress;
  return job;
}

absl::StatusOr<std::vector<Job>> JobRunner::List(std::string_view tenant, std::optional<JobState> state, int limit,
                                                 int64_t before_ms) const {
  TUTTI_ASSIGN_OR_RETURN(std::vector<Job> jobs, store_.List(tenant, state, limit, before_ms));
  MutexLock lock(mu_);
  for (Job& job : jobs) {
    const auto running = running_.find(job.id);
    if (job.state == JobState::kRunning && running != running_.end()) job.progress = running->second.progress;
  }
  return jobs;
}

absl::Status JobRunner::Cancel(std::string_view id, std::string_view tenant) {
  TUTTI_ASSIGN_OR_RETURN(const Job job, store_.Get(id, tenant));
  TUTTI_RETURN_IF_ERROR(store_.Cancel(id, tenant, clock_.unix_ms()));
  std::shared_ptr<Dispatcher::Ticket> ticket;
  bool waits = false;
  {
    MutexLock lock(mu_);
    const auto running = running_.find(job.id);
    waits = running == running_.end();
    if (!waits) {
      running->second.cancelled = true;
      ticket = running->second.ticket;
    }
  }
  if (ticket != nullptr) ticket->Cancel();
  // Its place in the queue is passed over when its turn comes; what runs may still read the audio.
  if (waits) RemoveAudio(job);
  if (webhooks_ != nullptr && !job.webhook.empty()) webhooks_->Deliver(job);
  return absl::OkStatus();
}

void JobRunner::Drain() {
  MutexLock lock(mu_);
  draining_ = true;
}

size_t JobRunner::running() const {
  MutexLock lock(mu_);
  return running_.size();
}

void JobRunner::Wake() {
  if (webhooks_ != nullptr) webhooks_->Wake();
  MutexLock lock(mu_);
  changed_.NotifyAll();
}

void JobRunner::Run() {
  while (WaitForWork()) {
    SaveEnded();
    Sweep();
    StartNext();
  }
}

bool JobRunner::WaitForWork() {
  MutexLock lock(mu_);
  while (true) {
    if (stopping_ && running_.empty()) return false;
    const Time now = clock_.now();
    if ((!ended_.empty() && (now >= save_after_ || stopping_)) || now >= sweep_after_ || CanStart()) return true;
    Time next = sweep_after_;
    if (!ended_.empty()) next = std::min(next, save_after_);
    if (start_after_ > now && SomeoneWaits()) next = std::min(next, start_after_);
    changed_.WaitUntil(mu_, std::chrono::steady_clock::now() + (next - now));
  }
}

void JobRunner::Sweep() {
  {
    MutexLock lock(mu_);
    if (clock_.now() < sweep_after_) return;
    sweep_after_ = clock_.now() + options_.sweep_pause;
  }
  Report(store_.RemoveEndedBefore(RetentionEnd()).status());
}

int64_t JobRunner::RetentionEnd() const {
  // A clock that is set forward by mistake shall remove nothing: no more time has passed than the steady clock saw.
  const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - began_);
  return std::min(clock_.unix_ms(), began_unix_ms_ + passed.count()) - options_.retention.count();
}

bool JobRunner::SomeoneWaits() const {
  return !suspects_.empty() || std::any_of(tenants_.begin(), tenants_.end(),
                                           [](const auto& tenant) { return !tenant.second.waiting.empty(); });
}

bool JobRunner::CanStart() const {
  if (draining_ || stopping_ || clock_.now() < start_after_ || !SomeoneWaits()) return false;
  if (!suspects_.empty()) return running_.empty();
  const bool one_is_alone = running_.size() == 1 && running_.begin()->second.alone;
  return !one_is_alone && running_.size() < options_.max_running && running_seconds_ < options_.max_running_seconds;
}

JobRunner::Waiting JobRunner::TakeNext() {
  std::deque<Waiting>* from = &suspects_;
  if (suspects_.empty()) {
    std::pair<double, int64_t> least = {};
    Tenant* next = nullptr;
    for (auto& [name, tenant] : tenants_) {
      const std::pair<double, int64_t> place = {tenant.running_seconds, tenant.turn};
      if (tenant.waiting.empty() || (next != nullptr && place >= least)) continue;
      next = &tenant;
      least = place;
    }
    next->turn = ++turns_;
    from = &next->waiting;
  }
  Waiting taken = std::move(from->front());
  from->pop_front();
  return taken;
}

void JobRunner::StartNext() {
  Waiting next;
  {
    MutexLock lock(mu_);
    if (!CanStart()) return;
    const bool alone = !suspects_.empty();
    next = TakeNext();
    Running running;
    running.job = next.job;
    running.alone = alone;
    running_.emplace(next.job.id, std::move(running));
  }
  // In the store before the dispatcher has it: a crash right after counts.
  const absl::Status started = next.started ? absl::OkStatus() : store_.Start(next.job.id, clock_.unix_ms());
  if (HasBeenEnded(started)) {
    {
      MutexLock lock(mu_);
      Leave(next.job.id);
    }
    return RemoveAudio(next.job);
  }
  if (!started.ok()) {
    Report(started);
    return PutBack(std::move(next));
  }
  if (!next.started) {
    next.started = true;
    ++next.job.attempts;
    MutexLock lock(mu_);
    running_[next.job.id].job.attempts = next.job.attempts;
  }
  SubmitStarted(std::move(next));
}

void JobRunner::SubmitStarted(Waiting next) {
  const std::string id = next.job.id;
  auto prepared = parts_.prepare(next.job);
  if (!prepared.ok()) return OnDone(id, prepared.status());
  Dispatcher::Work& work = prepared->work;
  work.tenant = next.job.tenant;
  work.options.progress = [this, id, seconds = work.seconds](const Progress& progress) {
    OnProgress(id, seconds, progress);
  };
  work.on_done = [this, id](const absl::StatusOr<Transcript>& result) { OnDone(id, result); };
  {
    MutexLock lock(mu_);
    running_[id].seconds = work.seconds;
    running_seconds_ += work.seconds;
    tenants_[next.job.tenant].running_seconds += work.seconds;
  }
  auto ticket = prepared->submit(std::move(work));
  if (ticket.ok()) {
    bool cancel = false;
    {
      MutexLock lock(mu_);
      Running& running = running_[id];
      running.ticket = *ticket;
      cancel = running.cancelled || stopping_;
    }
    if (cancel) (*ticket)->Cancel();
  } else if (absl::IsResourceExhausted(ticket.status()) || absl::IsUnavailable(ticket.status())) {
    PutBack(std::move(next));
  } else {
    OnDone(id, ticket.status());
  }
}

void JobRunner::OnProgress(const std::string& id, double seconds, const Progress& progress) {
  if (progress.segments_found == 0) return;
  const auto decoded_ms = static_cast<double>(progress.audio_ms_decoded);
  const double share = static_cast<double>(progress.segments_done) / static_cast<double>(progress.segments_found);
  // The length is an estimate, and so is this; it never goes back and leaves the end to the result.
  const double done = std::min(0.99, decoded_ms * share / std::max(decoded_ms, seconds * 1000));
  MutexLock lock(mu_);
  const auto running = running_.find(id);
  if (running != running_.end()) running->second.progress = std::max(running->second.progress, done);
}

void JobRunner::OnDone(const std::string& id, const absl::StatusOr<Transcript>& result) {
  MutexLock lock(mu_);
  ended_.push_back({id, result});
  changed_.NotifyAll();
}

void JobRunner::SaveEnded() {
  std::vector<Ended> ended;
  {
    MutexLock lock(mu_);
    if (clock_.now() < save_after_ && !stopping_) return;
    ended.swap(ended_);
  }
  for (Ended& one : ended) Save(std::move(one));
}

void JobRunner::Save(Ended ended) {
  Job job;
  bool cancelled = false;
  {
    MutexLock lock(mu_);
    job = running_[ended.id].job;
    cancelled = running_[ended.id].cancelled;
  }
  const auto& result = ended.result;
  // Not by its client: the dispatcher goes away, or we do.
  if (absl::IsCancelled(result.status()) && !cancelled) return PutBack({.job = std::move(job), .started = true});

  const int64_t now_ms = clock_.unix_ms();
  const absl::Status saved = result.ok() ? store_.Finish(job.id, parts_.render(*result), now_ms)
                                         : store_.Fail(job.id, absl::StatusCodeToString(result.status().code()),
                                                       Message(result.status()), now_ms);
  const bool lost = !saved.ok() && !HasBeenEnded(saved);
  if (lost) Report(WithContext(saved, "a job's end"));
  {
    MutexLock lock(mu_);
    if (lost && !stopping_) {
      save_after_ = clock_.now() + options_.retry_pause;
      ended_.push_back(std::move(ended));
      return;
    }
    Leave(job.id);
    start_after_ = Time();  // there is room
  }
  if (!lost) RemoveAudio(job);
  if (saved.ok() && webhooks_ != nullptr && !job.webhook.empty()) webhooks_->Deliver(job);
}

void JobRunner::Leave(const std::string& id) {
  const auto found = running_.find(id);
  const Running& running = found->second;
  const auto tenant = tenants_.find(running.job.tenant);
  running_seconds_ -= running.seconds;
  if (tenant != tenants_.end()) {
    tenant->second.running_seconds -= running.seconds;
    const bool others_run = std::any_of(running_.begin(), running_.end(), [&](const auto& other) {
      return other.first != id && other.second.job.tenant == tenant->first;
    });
    if (!others_run) tenant->second.running_seconds = 0;  // sums of doubles drift
    if (!others_run && tenant->second.waiting.empty()) tenants_.erase(tenant);
  }
  running_.erase(found);
  if (running_.empty()) running_seconds_ = 0;
}

void JobRunner::PutBack(Waiting job) {
  absl::Status taken_back;
  if (job.started) taken_back = store_.Requeue(job.job.id);
  if (job.started && taken_back.ok()) {
    job.started = false;
    job.job.attempts = std::max(0, job.job.attempts - 1);
  }
  if (!HasBeenEnded(taken_back)) Report(taken_back);
  {
    MutexLock lock(mu_);
    Leave(job.job.id);
    start_after_ = clock_.now() + options_.retry_pause;
    if (!HasBeenEnded(taken_back)) {
      Enqueue(std::move(job), /*in_front=*/true);
      return;
    }
  }
  RemoveAudio(job.job);
}

void JobRunner::Enqueue(Waiting job, bool in_front) {
  auto& line = IsSuspect(job.job) ? suspects_ : tenants_[job.job.tenant].waiting;
  if (in_front) {
    line.push_front(std::move(job));
  } else {
    line.push_back(std::move(job));
  }
}

void JobRunner::RemoveAudio(const Job& job) const {
  if (job.audio_path.empty()) return;
  std::error_code error;
  const auto bytes = std::filesystem::file_size(job.audio_path, error);
  // What cannot be removed the next start removes. Of two who come at once one does it.
  if (error || !std::filesystem::remove(job.audio_path, error) || error) return;
  if (parts_.count_audio) parts_.count_audio(-static_cast<int64_t>(bytes));
}

void JobRunner::Report(const absl::Status& status) const {
  if (parts_.report && !status.ok()) parts_.report(status);
}

}  // namespace tutti
