#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "service/dispatcher.h"
#include "service/job_clock.h"
#include "service/job_store.h"
#include "service/webhook_sender.h"
#include "tutti/transcript.h"

namespace tutti {

struct JobRunnerOptions {
  std::string spool;  // folder of the jobs' audio
  std::chrono::milliseconds retention = std::chrono::hours(72);
  std::chrono::milliseconds sweep_pause = std::chrono::minutes(1);  // between two looks for jobs to remove
  // Jobs that are with the dispatcher at once: enough to keep it busy; the others wait here.
  size_t max_running = 256;
  double max_running_seconds = 960;             // of audio; a longer one runs when fewer than this many seconds do
  std::chrono::milliseconds retry_pause{1000};  // after a full queue, or a disk that could not be written to
  int max_starts = 3;                           // without an end, then the job is held to have crashed its server
  WebhookOptions webhooks;
};

// Runs the jobs of a store: from Submit, or from the last run of the service, to a stored result.
//
// Among tenants the one with the least audio running comes next. A job that has been started max_starts - 1 times and
// never ended is suspected to crash its server: it runs while no other job does, so that the next crash counts against
// it alone, and those that merely ran beside it are cleared. After max_starts it fails and is left alone.
//
// All states change on one thread of its own, which also writes to the disk and removes what retention has run out for;
// neither the threads of the engine nor those of the server wait for it.
//
// Thread-safe: any number of threads may call any method at the same time. Store, clock and dispatcher must outlive it.
class JobRunner {
 public:
  using Submitter = std::function<absl::StatusOr<std::shared_ptr<Dispatcher::Ticket>>(Dispatcher::Work)>;

  // What a job's parameters ask for. The runner fills in tenant, progress and on_done.
  struct Prepared {
    Dispatcher::Work work;
    Submitter submit;  // of the model's dispatcher; ResourceExhausted and Unavailable: try again later
  };

  struct Parts {
    std::function<absl::StatusOr<Prepared>(const Job&)> prepare;  // an error ends the job
    std::function<std::string(const Transcript&)> render;         // as JSON
    WebhookSender::Post post;                                     // null: no webhooks
    std::function<void(const absl::Status&)> report;              // if any: told what fails beside the jobs themselves
    // If any: told the bytes of audio that an earlier run left to its jobs, and what is removed, as less than 0. From
    // any thread, maybe with locks held.
    std::function<void(int64_t bytes)> count_audio;
  };

  // Queues what an earlier run of the service left, sets aside what crashed it, removes audio that belongs to no job.
  static absl::StatusOr<std::unique_ptr<JobRunner>> Create(JobStore& store, const JobClock& clock,
                                                           JobRunnerOptions options, Parts parts);
  // Cancels what runs; it is queued again and runs after the next start, with this one not counted.
  ~JobRunner();

  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  // A job whose audio lies at JobAudioPath(spool, id), kept by KeepUpload. Stored when this returns OK; on an error the
  // audio is the caller's to remove. FailedPrecondition for a webhook without a secret to sign it.
  absl::Status Submit(Job job) TUTTI_EXCLUDES(mu_);

  // As JobStore's, with the progress of running jobs.
  absl::StatusOr<Job> Get(std::string_view id, std::string_view tenant) const TUTTI_EXCLUDES(mu_);
  absl::StatusOr<std::vector<Job>> List(std::string_view tenant, std::optional<JobState> state, int limit,
                                        int64_t before_ms) const TUTTI_EXCLUDES(mu_);
  // The job is cancelled when this returns OK. NotFound, or FailedPrecondition when it has ended.
  absl::Status Cancel(std::string_view id, std::string_view tenant) TUTTI_EXCLUDES(mu_);

  // Starts no more; what runs goes on, what is submitted waits for the next start of the service. Idempotent.
  void Drain() TUTTI_EXCLUDES(mu_);
  // Jobs that are with the dispatcher, or whose result is being stored.
  size_t running() const TUTTI_EXCLUDES(mu_);

  // The clock was moved.
  void Wake() TUTTI_EXCLUDES(mu_);

 private:
  using Time = std::chrono::steady_clock::time_point;

  struct Waiting {
    Job job;
    bool started = false;  // in the store, where it could not be taken back
  };
  struct Tenant {
    std::deque<Waiting> waiting;
    double running_seconds = 0;
    int64_t turn = 0;  // when it last had one
  };
  struct Running {
    Job job;
    std::shared_ptr<Dispatcher::Ticket> ticket;  // null before it is submitted
    double seconds = 0;
    double progress = 0;
    bool cancelled = false;  // by its client
    bool alone = false;
  };
  struct Ended {
    std::string id;
    absl::StatusOr<Transcript> result;
  };

  JobRunner(JobStore& store, const JobClock& clock, JobRunnerOptions options, Parts parts);

  absl::Status Recover() TUTTI_EXCLUDES(mu_);
  void Run() TUTTI_EXCLUDES(mu_);
  // Waits until one of the three below has something to do. False at the end.
  bool WaitForWork() TUTTI_EXCLUDES(mu_);
  void SaveEnded() TUTTI_EXCLUDES(mu_);
  void Sweep() TUTTI_EXCLUDES(mu_);
  void StartNext() TUTTI_EXCLUDES(mu_);

  bool IsSuspect(const Job& job) const { return job.attempts >= options_.max_starts - 1 && options_.max_starts > 1; }
  bool SomeoneWaits() const TUTTI_REQUIRES(mu_);
  bool CanStart() const TUTTI_REQUIRES(mu_);
  Waiting TakeNext() TUTTI_REQUIRES(mu_);
  void SubmitStarted(Waiting next) TUTTI_EXCLUDES(mu_);
  void Save(Ended ended) TUTTI_EXCLUDES(mu_);
  // Out of running; its place is free.
  void Leave(const std::string& id) TUTTI_REQUIRES(mu_);
  void PutBack(Waiting job) TUTTI_EXCLUDES(mu_);
  void Enqueue(Waiting job, bool in_front) TUTTI_REQUIRES(mu_);
  void OnProgress(const std::string& id, double seconds, const Progress& progress) TUTTI_EXCLUDES(mu_);
  void OnDone(const std::string& id, const absl::StatusOr<Transcript>& result) TUTTI_EXCLUDES(mu_);
  // Unix time by which retention has run out.
  int64_t RetentionEnd() const;
  void RemoveAudio(const Job& job) const;
  void Report(const absl::Status& status) const;

  JobStore& store_;
  const JobClock& clock_;
  const JobRunnerOptions options_;
  const Parts parts_;
  const std::unique_ptr<WebhookSender> webhooks_;  // null: none
  const int64_t began_unix_ms_;
  const Time began_;

  mutable Mutex mu_;
  CondVar changed_;
  std::map<std::string, Tenant> tenants_ TUTTI_GUARDED_BY(mu_);  // with something waiting or running
  std::deque<Waiting> suspects_ TUTTI_GUARDED_BY(mu_);
  std::map<std::string, Running> running_ TUTTI_GUARDED_BY(mu_);  // by id
  double running_seconds_ TUTTI_GUARDED_BY(mu_) = 0;
  std::vector<Ended> ended_ TUTTI_GUARDED_BY(mu_);  // still in running_
  int64_t turns_ TUTTI_GUARDED_BY(mu_) = 0;
  Time start_after_ TUTTI_GUARDED_BY(mu_), save_after_ TUTTI_GUARDED_BY(mu_), sweep_after_ TUTTI_GUARDED_BY(mu_);
  bool draining_ TUTTI_GUARDED_BY(mu_) = false;
  bool stopping_ TUTTI_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

}  // namespace tutti
