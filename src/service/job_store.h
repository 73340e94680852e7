#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"

namespace tutti {

class FileLock;
class SqliteDatabase;

enum class JobState { kQueued, kRunning, kDone, kFailed, kCancelled };

std::string_view Name(JobState state);  // "queued", …
absl::StatusOr<JobState> ParseJobState(std::string_view name);

struct Job {
  std::string id;      // 32 hexadecimal digits, random: an id is all it takes to ask for one's result
  std::string tenant;  // who may see it
  JobState state = JobState::kQueued;
  std::string file_name;                                    // as the client called it
  std::string audio_path;                                   // where the upload lies; empty once the job has ended
  std::string parameters;                                   // JSON of the request's fields, as accepted
  std::string webhook;                                      // URL; empty: none
  int webhook_tries = 0;                                    // times it was posted in vain
  int attempts = 0;                                         // times it was started
  double progress = 0;                                      // 0 … 1; in memory only, lost on a restart
  std::string result;                                       // the rendered transcript, JSON; when done
  std::string error_code, error_message;                    // when failed
  int64_t created_ms = 0, started_ms = 0, finished_ms = 0;  // Unix time; 0: not yet
};

// Jobs that survive everything: a job is in the database before its client hears of it, and its result before its audio
// is removed. SQLite in WAL mode with synchronous=FULL, so kill -9 or loss of power loses no accepted job.
//
// One store a file: PATH.lock keeps a second service from running the same jobs. Others may read the file meanwhile.
//
// Thread-safe: any number of threads may call any method at the same time. Calls block for a write to disk.
class JobStore {
 public:
  // Opens or makes the database (mode 0600: it holds what people said). DataLoss for a file that is no database or a
  // damaged one, FailedPrecondition for one of a later schema, of another program, or that is in use.
  static absl::StatusOr<std::unique_ptr<JobStore>> Open(const std::string& path);
  ~JobStore();

  JobStore(const JobStore&) = delete;
  JobStore& operator=(const JobStore&) = delete;

  static std::string NewId();

  // A new job, queued. AlreadyExists for an id that is there.
  absl::Status Add(const Job& job) TUTTI_EXCLUDES(mu_);
  // NotFound for an unknown id, and for another tenant's: nobody learns that it exists.
  absl::StatusOr<Job> Get(std::string_view id, std::string_view tenant) const TUTTI_EXCLUDES(mu_);
  // Newest first, without results, created before `before_ms`: the first `limit`, and whatever was created in the same
  // millisecond as the last of them, so that the next page, before that millisecond, misses nothing.
  absl::StatusOr<std::vector<Job>> List(std::string_view tenant, std::optional<JobState> state, int limit,
                                        int64_t before_ms) const TUTTI_EXCLUDES(mu_);

  // The next states. Each is one transaction; FailedPrecondition when the job is not in the state it must be in, so
  // that of two who end a job at once only one does, and a result is written once. NotFound for an unknown id.
  //   queued → running
  absl::Status Start(std::string_view id, int64_t now_ms) TUTTI_EXCLUDES(mu_);
  //   running → queued; the start does not count: it was not the job's fault
  absl::Status Requeue(std::string_view id) TUTTI_EXCLUDES(mu_);
  //   running → done
  absl::Status Finish(std::string_view id, std::string_view result, int64_t now_ms) TUTTI_EXCLUDES(mu_);
  //   queued, running → failed
  absl::Status Fail(std::string_view id, std::string_view code, std::string_view message, int64_t now_ms)
      TUTTI_EXCLUDES(mu_);
  //   queued, running → cancelled
  absl::Status Cancel(std::string_view id, std::string_view tenant, int64_t now_ms) TUTTI_EXCLUDES(mu_);

  // After a restart: what was running is queued again. Returns all queued jobs, oldest first.
  absl::StatusOr<std::vector<Job>> Recover() TUTTI_EXCLUDES(mu_);

  // Ended jobs whose webhook has not been delivered, without results, and the notes that one was tried in vain, and
  // that one has been delivered (or never will be).
  absl::StatusOr<std::vector<Job>> UndeliveredWebhooks() const TUTTI_EXCLUDES(mu_);
  absl::Status WebhookTried(std::string_view id) TUTTI_EXCLUDES(mu_);
  absl::Status WebhookDelivered(std::string_view id) TUTTI_EXCLUDES(mu_);

  // Removes jobs that ended before this time; returns their number.
  absl::StatusOr<int64_t> RemoveEndedBefore(int64_t time_ms) TUTTI_EXCLUDES(mu_);

  struct Counts {
    int64_t queued = 0, running = 0, done = 0, failed = 0, cancelled = 0;
  };
  absl::StatusOr<Counts> counts() const TUTTI_EXCLUDES(mu_);

 private:
  JobStore(std::unique_ptr<FileLock> lock, std::unique_ptr<SqliteDatabase> database);

  // OK when one row was changed; else why the job `id` could not be changed.
  absl::Status Changed(const absl::StatusOr<int64_t>& rows, std::string_view id, std::string_view expected) const
      TUTTI_REQUIRES(mu_);

  const std::unique_ptr<FileLock> file_lock_;

  mutable Mutex mu_;
  const std::unique_ptr<SqliteDatabase> database_ TUTTI_PT_GUARDED_BY(mu_);
};

}  // namespace tutti
