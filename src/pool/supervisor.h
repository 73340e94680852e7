#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "engine/request.h"
#include "pool/channel.h"
#include "pool/child_process.h"
#include "pool/hand_out.h"
#include "pool/job_sheet.h"
#include "pool/pool_options.h"
#include "pool/worker_link.h"

namespace tutti {

// What a pool did and has.
struct PoolStats {
  std::vector<int64_t> pids;  // of workers that take jobs
  int64_t nursery_pid = 0;
  int64_t started = 0;  // workers, since the beginning
  // From the loaded models to the first time that all processes took jobs; 0 before.
  double start_seconds = 0;
  int64_t died = 0;  // of them, without being asked to
  int64_t hung = 0;  // of those that died, had to be killed
  int64_t recycled = 0;
  int64_t reloaded = 0;     // times that the models were loaded anew because the process that holds them had died
  int64_t retried = 0;      // attempts at recordings that began anew
  int64_t quarantined = 0;  // recordings given up for what they did to their processes
  bool sandboxed = false;   // every worker so far has its system calls forbidden
};

// The front's side of a pool: hands recordings out to workers, watches over both, and ends the requests.
//
// One thread runs Run and owns everything but the inbox, so that hand-out, retry and death are one sequence of events.
// The other methods are thread-safe.
class Supervisor {
 public:
  // Another nursery, when one has died; it has yet to load the models.
  using NurseryMaker = std::function<absl::StatusOr<ChildProcess>()>;

  // `models` is what the nursery said that it has loaded. Without `make_nursery` the first one is the last.
  Supervisor(ChildProcess nursery, NurseryReady models, const PoolOptions& options, NurseryMaker make_nursery);

  // Until Stop. While there is no nursery and none comes up, it fails what there is and comes.
  void Run();

  void Stop() TUTTI_EXCLUDES(mu_);
  // Takes over a request; it will end. With `only_speech` its transcript's segments are where speech is, without text.
  void Add(std::shared_ptr<Request> request, AudioInput input, bool only_speech) TUTTI_EXCLUDES(mu_);
  // Some request has stopped: look for it.
  void DropStopped() TUTTI_EXCLUDES(mu_);
  PoolStats stats() const TUTTI_EXCLUDES(mu_);

 private:
  struct Job {
    std::shared_ptr<Request> request;
    AudioInput input;
    bool only_speech = false;
    UniqueFd shared_audio;            // of an input in memory, once it was handed out
    int64_t shared_bytes = 0;         // in it
    std::unique_ptr<JobSheet> sheet;  // of the current attempt
    Progress told;
    int64_t segments_told = 0;  // over all attempts: what an attempt repeats is not told again
    int64_t segments_seen = 0;  // in this attempt
    int attempts = 0;           // begun
    bool cancel_sent = false;
  };
  struct Slot {
    int64_t worker = -1;  // -1: none
    int fruitless = 0;    // workers in a row that died without having finished anything
    std::chrono::milliseconds wait{0};
  };

  void Poll();
  bool TakeInbox() TUTTI_EXCLUDES(mu_);
  void Publish() TUTTI_EXCLUDES(mu_);
  void Advance();

  // The nursery.
  void AdvanceNursery(std::chrono::milliseconds passed);
  void ReadNursery();
  void HandleReady(const NurseryReady& ready);
  void KillNursery(std::string why);
  void NurseryIsGone();
  void MakeNursery();
  // Begins anew after a while, if that is to be; else, or when it has often been in vain, nobody waits for it.
  void AfterNursery(const absl::Status& why);
  void FailAll(const absl::Status& why);
  void GiveUp(const absl::Status& why);

  // Workers.
  void FillSlots();
  void HandleBirth(const WorkerBorn& born, std::vector<UniqueFd> fds);
  void ReadLog(WorkerLink& worker);
  void ReadWorker(WorkerLink& worker);
  void HandleWorkerMessage(WorkerLink& worker, const Received& received);
  void Kill(WorkerLink& worker, std::string why);
  void HandleEnd(const WorkerEnded& ended);
  void CheckHealth(WorkerLink& worker);

  // Recordings.
  void HandOutAll();
  // False when the worker takes nothing more for now.
  bool StartJobAt(WorkerLink& worker, int64_t job_id);
  absl::StatusOr<StartJob> Describe(int64_t job_id, Job& job, UniqueFd* file);
  void HandleSegment(const WorkerLink& worker, const SegmentReady& ready);
  // Null when the worker does not have it.
  Job* JobAt(const WorkerLink& worker, int64_t job_id);
  void HandleDone(WorkerLink& worker, const JobDone& done);
  void TellProgress(Job& job);
  void ForgetStopped();

  const PoolOptions options_;
  const NurseryReady models_;
  const UniqueFd wake_;

  // Run's own.
  NurseryMaker make_nursery_;
  Channel nursery_;
  pid_t nursery_pid_;
  bool nursery_ready_ = true;  // its models are loaded
  int nursery_deaths_ = 0;     // in a row, without one recording finished between
  std::chrono::milliseconds nursery_age_{0}, nursery_wait_{0};
  std::string nursery_killed_for_;  // not empty: we killed it, and why
  HandOut hand_out_;
  std::map<int64_t, Job> jobs_;            // by request id
  std::map<int64_t, WorkerLink> workers_;  // born or being born
  std::vector<Slot> slots_;
  int64_t next_worker_ = 0;
  int deaths_in_a_row_ = 0;
  int stillborn_ = 0;       // workers in a row that ended before they were up
  int64_t unanswered_ = 0;  // what the nursery was asked to do and has not done
  std::chrono::milliseconds nursery_silent_{0};
  std::chrono::steady_clock::time_point last_look_ = std::chrono::steady_clock::now();
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  absl::Status unavailable_;  // what becomes of that which comes
  PoolStats stats_;

  mutable Mutex mu_;
  std::vector<Job> inbox_ TUTTI_GUARDED_BY(mu_);
  bool look_for_stopped_ TUTTI_GUARDED_BY(mu_) = false;
  bool stop_ TUTTI_GUARDED_BY(mu_) = false;
  PoolStats published_ TUTTI_GUARDED_BY(mu_);
};

}  // namespace tutti
