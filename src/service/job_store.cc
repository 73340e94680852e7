#include "service/job_store.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <utility>

#include "service/file_lock.h"
#include "service/sqlite.h"
#include "service/sqlite_file.h"

namespace tutti {
namespace {

constexpr std::array<std::string_view, 5> kJobStateNames = {"queued", "running", "done", "failed", "cancelled"};

// States are numbers of JobState: 0 queued, 1 running, from 2 on ended. jobs_by_state also answers counts() by itself;
// the last two indices are partial: few jobs wait for their webhook.
constexpr std::string_view kJobTables = R"(
CREATE TABLE jobs (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  tenant TEXT NOT NULL,
  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
  file_name TEXT NOT NULL,
  audio_path TEXT NOT NULL,
  parameters TEXT NOT NULL,
  webhook TEXT NOT NULL,
  webhook_pending INTEGER NOT NULL,
  webhook_tries INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  result TEXT NOT NULL,
  error_code TEXT NOT NULL,
  error_message TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  started_ms INTEGER NOT NULL,
  finished_ms INTEGER NOT NULL
);
CREATE INDEX jobs_by_tenant ON jobs (tenant, created_ms, sequence);
CREATE INDEX jobs_by_state ON jobs (state, created_ms, sequence);
CREATE INDEX jobs_ended ON jobs (finished_ms) WHERE state >= 2;
CREATE INDEX jobs_to_tell ON jobs (finished_ms, sequence) WHERE state >= 2 AND webhook_pending = 1;
)";

constexpr SqliteSchema kJobSchema = {
    .application_id = 0x74757469, .version = 1, .script = kJobTables, .contents = "tutti's jobs"};  // "tuti"

#define TUTTI_JOB_COLUMNS                                                                                \
  "id, tenant, state, file_name, audio_path, parameters, webhook, webhook_tries, attempts, error_code, " \
  "error_message, "                                                                                      \
  "created_ms, started_ms, finished_ms"

absl::StatusOr<JobState> StateOf(int64_t number) {
  if (number >= 0 && number < static_cast<int64_t>(kJobStateNames.size())) return static_cast<JobState>(number);
  return DataLoss("a job has state {}, which does not exist: the database is damaged", number);
}

absl::StatusOr<Job> JobOf(const SqliteStatement& row) {
  Job job;
  int column = -1;
  job.id = row.Text(++column);
  job.tenant = row.Text(++column);
  TUTTI_ASSIGN_OR_RETURN(job.state, StateOf(row.Integer(++column)));
  job.file_name = row.Text(++column);
  job.audio_path = row.Text(++column);
  job.parameters = row.Text(++column);
  job.webhook = row.Text(++column);
  job.webhook_tries = static_cast<int>(row.Integer(++column));
  job.attempts = static_cast<int>(row.Integer(++column));
  job.error_code = row.Text(++column);
  job.error_message = row.Text(++column);
  job.created_ms = row.Integer(++column);
  job.started_ms = row.Integer(++column);
  job.finished_ms = row.Integer(++column);
  job.progress = job.state == JobState::kDone ? 1 : 0;
  return job;
}

absl::StatusOr<std::vector<Job>> JobsOf(absl::StatusOr<SqliteStatement> rows) {
  if (!rows.ok()) return rows.status();
  std::vector<Job> jobs;
  while (true) {
    TUTTI_ASSIGN_OR_RETURN(const bool row, rows->Step());
    if (!row) return jobs;
    TUTTI_ASSIGN_OR_RETURN(Job job, JobOf(*rows));
    jobs.push_back(std::move(job));
  }
}

int64_t Number(JobState state) { return static_cast<int64_t>(state); }

}  // namespace

std::string_view Name(JobState state) { return kJobStateNames[static_cast<size_t>(state)]; }

absl::StatusOr<JobState> ParseJobState(std::string_view name) {
  for (size_t i = 0; i < kJobStateNames.size(); ++i) {
    if (kJobStateNames[i] == name) return static_cast<JobState>(i);
  }
  return InvalidArgument("state: '{}', expected queued, running, done, failed or cancelled", name);
}

JobStore::JobStore(std::unique_ptr<FileLock> lock, std::unique_ptr<SqliteDatabase> database)
    : file_lock_(std::move(lock)), database_(std::move(database)) {}

JobStore::~JobStore() = default;

absl::StatusOr<std::unique_ptr<JobStore>> JobStore::Open(const std::string& path) {
  TUTTI_ASSIGN_OR_RETURN(OwnSqliteFile own, OpenOwn(path, kJobSchema));
  return std::unique_ptr<JobStore>(new JobStore(std::move(own.lock), std::move(own.database)));
}

std::string JobStore::NewId() {
  std::array<unsigned char, 16> bytes{};
  if (getentropy(bytes.data(), bytes.size()) != 0) std::abort();  // a guessable id would be somebody's transcript
  std::string id;
  for (const unsigned char byte : bytes) id += fmt::format("{:02x}", byte);
  return id;
}

absl::Status JobStore::Add(const Job& job) {
  if (job.state != JobState::kQueued) return InvalidArgument("job {}: {}, expected queued", job.id, Name(job.state));
  MutexLock lock(mu_);
  const auto rows = database_->Execute(
      "INSERT INTO jobs (id, tenant, state, file_name, audio_path, parameters, webhook, webhook_pending, "
      "webhook_tries, "
      "attempts, result, error_code, error_message, created_ms, started_ms, finished_ms) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, '', '', '', ?9, 0, 0)",
      std::string_view(job.id), std::string_view(job.tenant), Number(JobState::kQueued),
      std::string_view(job.file_name), std::string_view(job.audio_path), std::string_view(job.parameters),
      std::string_view(job.webhook), int64_t{!job.webhook.empty()}, job.created_ms);
  return rows.status();
}

absl::StatusOr<Job> JobStore::Get(std::string_view id, std::string_view tenant) const {
  MutexLock lock(mu_);
  TUTTI_ASSIGN_OR_RETURN(
      SqliteStatement rows,
      database_->Query("SELECT " TUTTI_JOB_COLUMNS ", result FROM jobs WHERE id = ?1 AND tenant = ?2", id, tenant));
  TUTTI_ASSIGN_OR_RETURN(const bool found, rows.Step());
  if (!found) return NotFound("there is no job {}", id);
  TUTTI_ASSIGN_OR_RETURN(Job job, JobOf(rows));
  job.result = rows.Text(14);
  return job;
}

absl::StatusOr<std::vector<Job>> JobStore::List(std::string_view tenant, std::optional<JobState> state, int limit,
                                                int64_t before_ms) const {
  if (limit < 1) return InvalidArgument("limit: {}, expected at least 1", limit);
  MutexLock lock(mu_);
  return JobsOf(database_->Query(
      "SELECT " TUTTI_JOB_COLUMNS
      " FROM jobs WHERE tenant = ?1 AND (?2 < 0 OR state = ?2) AND created_ms < ?3 AND created_ms >= coalesce("
      "   (SELECT created_ms FROM jobs WHERE tenant = ?1 AND (?2 < 0 OR state = ?2) AND created_ms < ?3"
      "    ORDER BY created_ms DESC LIMIT 1 OFFSET ?4 - 1), -9223372036854775808)"
      " ORDER BY created_ms DESC, sequence DESC",
      tenant, state ? Number(*state) : int64_t{-1}, before_ms, int64_t{limit}));
}

absl::Status JobStore::Changed(const absl::StatusOr<int64_t>& rows, std::string_view id,
                               std::string_view expected) const {
  if (!rows.ok()) return rows.status();
  if (*rows == 1) return absl::OkStatus();
  TUTTI_ASSIGN_OR_RETURN(SqliteStatement found, database_->Query("SELECT state FROM jobs WHERE id = ?1", id));
  TUTTI_ASSIGN_OR_RETURN(const bool row, found.Step());
  if (!row) return NotFound("there is no job {}", id);
  TUTTI_ASSIGN_OR_RETURN(const JobState state, StateOf(found.Integer(0)));
  return FailedPrecondition("job {} is {}, expected {}", id, Name(state), expected);
}

absl::Status JobStore::Start(std::string_view id, int64_t now_ms) {
  MutexLock lock(mu_);
  return Changed(database_->Execute("UPDATE jobs SET state = 1, attempts = attempts + 1, started_ms = ?2 "
                                    "WHERE id = ?1 AND state = 0",
                                    id, now_ms),
                 id, "queued");
}

absl::Status JobStore::Requeue(std::string_view id) {
  MutexLock lock(mu_);
  return Changed(database_->Execute("UPDATE jobs SET state = 0, attempts = attempts - 1, started_ms = 0 "
                                    "WHERE id = ?1 AND state = 1",
                                    id),
                 id, "running");
}

absl::Status JobStore::Finish(std::string_view id, std::string_view result, int64_t now_ms) {
  MutexLock lock(mu_);
  return Changed(database_->Execute("UPDATE jobs SET state = 2, result = ?2, audio_path = '', finished_ms = ?3 "
                                    "WHERE id = ?1 AND state = 1",
                                    id, result, now_ms),
                 id, "running");
}

absl::Status JobStore::Fail(std::string_view id, std::string_view code, std::string_view message, int64_t now_ms) {
  MutexLock lock(mu_);
  return Changed(database_->Execute("UPDATE jobs SET state = 3, error_code = ?2, error_message = ?3, audio_path = '', "
                                    "finished_ms = ?4 WHERE id = ?1 AND state IN (0, 1)",
                                    id, code, message, now_ms),
                 id, "queued or running");
}

absl::Status JobStore::Cancel(std::string_view id, std::string_view tenant, int64_t now_ms) {
  MutexLock lock(mu_);
  const auto rows = database_->Execute(
      "UPDATE jobs SET state = 4, audio_path = '', finished_ms = ?3 WHERE id = ?1 AND tenant = ?2 AND state IN (0, 1)",
      id, tenant, now_ms);
  if (rows.ok() && *rows == 0) {
    TUTTI_ASSIGN_OR_RETURN(SqliteStatement found,
                           database_->Query("SELECT 1 FROM jobs WHERE id = ?1 AND tenant = ?2", id, tenant));
    TUTTI_ASSIGN_OR_RETURN(const bool row, found.Step());
    if (!row) return NotFound("there is no job {}", id);
  }
  return Changed(rows, id, "queued or running");
}

absl::StatusOr<std::vector<Job>> JobStore::Recover() {
  MutexLock lock(mu_);
  const auto rows = database_->Execute("UPDATE jobs SET state = 0 WHERE state = 1");
  if (!rows.ok()) return rows.status();
  return JobsOf(
      database_->Query("SELECT " TUTTI_JOB_COLUMNS " FROM jobs WHERE state = 0 ORDER BY created_ms, sequence"));
}

absl::StatusOr<std::vector<Job>> JobStore::UndeliveredWebhooks() const {
  MutexLock lock(mu_);
  return JobsOf(database_->Query("SELECT " TUTTI_JOB_COLUMNS " FROM jobs WHERE state >= 2 AND webhook_pending = 1"
                                 " ORDER BY finished_ms, sequence"));
}

absl::Status JobStore::WebhookTried(std::string_view id) {
  MutexLock lock(mu_);
  return Changed(database_->Execute("UPDATE jobs SET webhook_tries = webhook_tries + 1 WHERE id = ?1", id), id, "");
}

absl::Status JobStore::WebhookDelivered(std::string_view id) {
  MutexLock lock(mu_);
  return Changed(database_->Execute("UPDATE jobs SET webhook_pending = 0 WHERE id = ?1", id), id, "");
}

absl::StatusOr<int64_t> JobStore::RemoveEndedBefore(int64_t time_ms) {
  MutexLock lock(mu_);
  return database_->Execute("DELETE FROM jobs WHERE state >= 2 AND finished_ms < ?1", time_ms);
}

absl::StatusOr<JobStore::Counts> JobStore::counts() const {
  MutexLock lock(mu_);
  TUTTI_ASSIGN_OR_RETURN(SqliteStatement rows, database_->Query("SELECT state, count(*) FROM jobs GROUP BY state"));
  Counts counts;
  const std::array<int64_t*, 5> by_state = {&counts.queued, &counts.running, &counts.done, &counts.failed,
                                            &counts.cancelled};
  while (true) {
    TUTTI_ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return counts;
    TUTTI_ASSIGN_OR_RETURN(const JobState state, StateOf(rows.Integer(0)));
    *by_state[static_cast<size_t>(state)] = rows.Integer(1);
  }
}

}  // namespace tutti
