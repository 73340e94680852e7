#include "service/batch_journal.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "service/sha256.h"
#include "service/sqlite_file.h"

namespace tutti {
namespace {

// States are numbers of RecordingState and OutputState.
constexpr std::string_view kJournalTables = R"(
CREATE TABLE job (id TEXT NOT NULL, created_ms INTEGER NOT NULL);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE recordings (
  id INTEGER PRIMARY KEY,
  path TEXT NOT NULL,
  occurrence INTEGER NOT NULL,
  position INTEGER NOT NULL,
  output TEXT NOT NULL,
  output_state INTEGER NOT NULL CHECK (output_state BETWEEN 0 AND 2),
  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
  attempts INTEGER NOT NULL,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  audio_ms INTEGER NOT NULL,
  error_code INTEGER NOT NULL,
  error_message TEXT NOT NULL,
  finished_ms INTEGER NOT NULL,
  UNIQUE (path, occurrence)
);
CREATE TABLE results (
  recording INTEGER NOT NULL,
  format TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (recording, format)
);
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  started_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  ended_ms INTEGER NOT NULL,
  done INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  audio_ms INTEGER NOT NULL
);
)";

constexpr SqliteSchema kJournalSchema = {.application_id = 0x7475746a,  // "tutj"
                                         .version = 1,
                                         .script = kJournalTables,
                                         .contents = "the journals of `tutti transcribe --job`"};

constexpr std::array<std::string_view, 3> kRecordingStateNames = {"waiting", "done", "failed"};

template <typename Enum>
absl::StatusOr<Enum> StateOf(int64_t number) {
  if (number >= 0 && number <= 2) return static_cast<Enum>(number);
  return DataLoss("a recording has state {}, which does not exist: the journal is damaged", number);
}

template <typename Enum>
int64_t Number(Enum state) {
  return static_cast<int64_t>(state);
}

absl::StatusOr<JournalRecording> RecordingOf(const SqliteStatement& row) {
  JournalRecording recording;
  int column = -1;
  recording.id = row.Integer(++column);
  recording.path = row.Text(++column);
  recording.occurrence = row.Integer(++column);
  recording.position = row.Integer(++column);
  recording.output = row.Text(++column);
  TUTTI_ASSIGN_OR_RETURN(recording.output_state, StateOf<OutputState>(row.Integer(++column)));
  TUTTI_ASSIGN_OR_RETURN(recording.state, StateOf<RecordingState>(row.Integer(++column)));
  recording.attempts = static_cast<int>(row.Integer(++column));
  recording.file.size = row.Integer(++column);
  recording.file.mtime_ns = row.Integer(++column);
  recording.file.sha256 = row.Text(++column);
  recording.audio_ms = row.Integer(++column);
  const auto code = static_cast<absl::StatusCode>(row.Integer(++column));
  const std::string message = row.Text(++column);
  if (recording.state == RecordingState::kFailed) recording.error = absl::Status(code, message);
  recording.finished_ms = row.Integer(++column);
  return recording;
}

}  // namespace

std::string_view Name(RecordingState state) { return kRecordingStateNames[static_cast<size_t>(state)]; }

BatchJournal::BatchJournal(std::unique_ptr<FileLock> lock, std::unique_ptr<SqliteDatabase> database)
    : lock_(std::move(lock)), database_(std::move(database)) {}

BatchJournal::~BatchJournal() = default;

absl::StatusOr<std::unique_ptr<BatchJournal>> BatchJournal::Open(const std::string& path) {
  TUTTI_ASSIGN_OR_RETURN(OwnSqliteFile own, OpenOwn(path, kJournalSchema));
  std::unique_ptr<BatchJournal> journal(new BatchJournal(std::move(own.lock), std::move(own.database)));
  TUTTI_RETURN_IF_ERROR(journal->ReadId());
  if (!journal->id_.empty()) return journal;
  std::array<char, 8> bytes{};
  if (getentropy(bytes.data(), bytes.size()) != 0) return absl::InternalError("no random numbers");
  const std::string id = Hex({bytes.data(), bytes.size()});
  TUTTI_RETURN_IF_ERROR(
      journal->database_->Execute("INSERT INTO job (id, created_ms) VALUES (?1, unixepoch() * 1000)", id).status());
  journal->id_ = id;
  return journal;
}

absl::StatusOr<std::unique_ptr<BatchJournal>> BatchJournal::OpenToRead(const std::string& path) {
  TUTTI_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database, tutti::OpenToRead(path, kJournalSchema));
  std::unique_ptr<BatchJournal> journal(new BatchJournal(nullptr, std::move(database)));
  TUTTI_RETURN_IF_ERROR(journal->database_->ExecuteScript("BEGIN"));  // one view, whatever the owner does meanwhile
  TUTTI_RETURN_IF_ERROR(journal->ReadId());
  return journal;
}

absl::Status BatchJournal::ReadId() {
  TUTTI_ASSIGN_OR_RETURN(SqliteStatement row, database_->Query("SELECT id FROM job"));
  TUTTI_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (found) id_ = row.Text(0);
  return absl::OkStatus();
}

absl::StatusOr<BatchSettings> BatchJournal::Settings() const {
  TUTTI_ASSIGN_OR_RETURN(SqliteStatement rows, database_->Query("SELECT name, value FROM settings"));
  BatchSettings settings;
  while (true) {
    TUTTI_ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return settings;
    settings.emplace(rows.Text(0), rows.Text(1));
  }
}

absl::StatusOr<std::vector<JournalRecording>> BatchJournal::Recordings() const {
  TUTTI_ASSIGN_OR_RETURN(
      SqliteStatement rows,
      database_->Query("SELECT id, path, occurrence, position, output, output_state, state, attempts, size, mtime_ns, "
                       "sha256, audio_ms, error_code, error_message, finished_ms FROM recordings "
                       "ORDER BY position, id"));
  std::vector<JournalRecording> recordings;
  while (true) {
    TUTTI_ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return recordings;
    TUTTI_ASSIGN_OR_RETURN(JournalRecording recording, RecordingOf(rows));
    recordings.push_back(std::move(recording));
  }
}

absl::StatusOr<std::vector<std::string>> BatchJournal::Texts(int64_t id, std::span<const std::string> formats) const {
  TUTTI_ASSIGN_OR_RETURN(SqliteStatement rows,
                         database_->Query("SELECT format, text FROM results WHERE recording = ?1", id));
  std::vector<std::string> texts(formats.size());
  bool any = false;
  while (true) {
    TUTTI_ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) break;
    any = true;
    const auto at = std::find(formats.begin(), formats.end(), rows.Text(0));
    if (at != formats.end()) texts[static_cast<size_t>(at - formats.begin())] = rows.Text(1);
  }
  if (!any) return NotFound("{}: no result of recording {}", database_->path(), id);
  return texts;
}

absl::StatusOr<BatchJournal::Counts> BatchJournal::CountStates() const {
  TUTTI_ASSIGN_OR_RETURN(SqliteStatement rows,
                         database_->Query("SELECT state, count(*), sum(audio_ms) FROM recordings GROUP BY state"));
  Counts counts;
  while (true) {
    TUTTI_ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return counts;
    TUTTI_ASSIGN_OR_RETURN(const RecordingState state, StateOf<RecordingState>(rows.Integer(0)));
    switch (state) {
      case RecordingState::kWaiting:
        counts.waiting = rows.Integer(1);
        break;
      case RecordingState::kDone:
        counts.done = rows.Integer(1);
        counts.audio_ms = rows.Integer(2);
        break;
      case RecordingState::kFailed:
        counts.failed = rows.Integer(1);
        break;
    }
  }
}

absl::StatusOr<BatchJournal::Run> BatchJournal::LastRun() const {
  TUTTI_ASSIGN_OR_RETURN(
      SqliteStatement row,
      database_->Query("SELECT started_ms, last_ms, ended_ms, done, failed, audio_ms FROM runs ORDER BY id DESC"));
  TUTTI_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return Run{};
  return Run{.started_ms = row.Integer(0),
             .last_ms = row.Integer(1),
             .ended_ms = row.Integer(2),
             .done = row.Integer(3),
             .failed = row.Integer(4),
             .audio_ms = row.Integer(5)};
}

absl::Status BatchJournal::Begin(const BatchSettings& settings, std::span<JournalRecording> recordings, bool anew,
                                 int64_t now_ms) {
  TUTTI_ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(*database_));
  if (anew) {
    TUTTI_RETURN_IF_ERROR(database_->ExecuteScript(
        "DELETE FROM results; DELETE FROM recordings; DELETE FROM settings; DELETE FROM runs"));
  }
  TUTTI_ASSIGN_OR_RETURN(SqliteStatement setting,
                         database_->Query("INSERT OR REPLACE INTO settings (name, value) VALUES (?1, ?2)"));
  for (const auto& [name, value] : settings) TUTTI_RETURN_IF_ERROR(setting.Run(name, value));
  TUTTI_RETURN_IF_ERROR(Add(recordings));
  TUTTI_RETURN_IF_ERROR(
      database_
          ->Execute(
              "INSERT INTO runs (started_ms, last_ms, ended_ms, done, failed, audio_ms) VALUES (?1, ?1, 0, 0, 0, 0)",
              now_ms)
          .status());
  TUTTI_ASSIGN_OR_RETURN(run_, database_->QueryInteger("SELECT last_insert_rowid()"));
  return transaction.Commit();
}

absl::Status BatchJournal::Add(std::span<JournalRecording> recordings) {
  TUTTI_ASSIGN_OR_RETURN(int64_t id, database_->QueryInteger("SELECT max(id) FROM recordings"));
  TUTTI_ASSIGN_OR_RETURN(
      SqliteStatement insert,
      database_->Query("INSERT INTO recordings (id, path, occurrence, position, output, output_state, state, attempts, "
                       "size, mtime_ns, sha256, audio_ms, error_code, error_message, finished_ms) "
                       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, -1, 0, '', 0, 0, '', 0)"));
  TUTTI_ASSIGN_OR_RETURN(
      SqliteStatement update,
      database_->Query("UPDATE recordings SET position = ?2, output = ?3, output_state = ?4 WHERE id = ?1"
                       " AND (position <> ?2 OR output <> ?3 OR output_state <> ?4)"));
  for (JournalRecording& each : recordings) {
    if (each.id != 0) {
      TUTTI_RETURN_IF_ERROR(update.Run(each.id, each.position, each.output, Number(each.output_state)));
      continue;
    }
    each.id = ++id;
    TUTTI_RETURN_IF_ERROR(
        insert.Run(each.id, each.path, each.occurrence, each.position, each.output, Number(each.output_state)));
  }
  return absl::OkStatus();
}

absl::Status BatchJournal::Record(const News& news, std::span<const std::string> formats, int64_t now_ms) {
  TUTTI_ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(*database_));
  TUTTI_ASSIGN_OR_RETURN(SqliteStatement written,
                         database_->Query("UPDATE recordings SET output_state = 2 WHERE id = ?1"));
  for (const int64_t id : news.written) TUTTI_RETURN_IF_ERROR(written.Run(id));
  TUTTI_ASSIGN_OR_RETURN(SqliteStatement touched,
                         database_->Query("UPDATE recordings SET mtime_ns = ?2 WHERE id = ?1"));
  for (const auto& [id, mtime_ns] : news.touched) TUTTI_RETURN_IF_ERROR(touched.Run(id, mtime_ns));
  int64_t done = 0, failed = 0, audio_ms = 0;
  for (const FinishedRecording& finished : news.finished) {
    TUTTI_RETURN_IF_ERROR(Finish(finished, formats, now_ms));
    ++(finished.status.ok() ? done : failed);
    if (finished.status.ok()) audio_ms += finished.audio_ms;
  }
  TUTTI_RETURN_IF_ERROR(
      database_
          ->Execute("UPDATE runs SET last_ms = ?2, done = done + ?3, failed = failed + ?4, audio_ms = audio_ms + ?5"
                    " WHERE id = ?1",
                    run_, now_ms, done, failed, audio_ms)
          .status());
  return transaction.Commit();
}

// The result of an earlier content goes with it. Its files may still be there: they stay ours.
absl::Status BatchJournal::Finish(const FinishedRecording& finished, std::span<const std::string> formats,
                                  int64_t now_ms) {
  const bool done = finished.status.ok();
  TUTTI_RETURN_IF_ERROR(database_->Execute("DELETE FROM results WHERE recording = ?1", finished.id).status());
  for (size_t i = 0; done && i < formats.size(); ++i) {
    TUTTI_RETURN_IF_ERROR(database_
                              ->Execute("INSERT INTO results (recording, format, text) VALUES (?1, ?2, ?3)",
                                        finished.id, formats[i], finished.texts[i])
                              .status());
  }
  const auto state = Number(done ? RecordingState::kDone : RecordingState::kFailed);
  return database_
      ->Execute(
          "UPDATE recordings SET state = ?2, attempts = ?3, size = ?4, mtime_ns = ?5, sha256 = ?6, audio_ms = ?7,"
          " error_code = ?8, error_message = ?9, finished_ms = ?10,"
          " output_state = CASE WHEN ?2 = 1 THEN 1 ELSE min(output_state, 1) END WHERE id = ?1",
          finished.id, state, done ? 0 : finished.attempts, finished.file.size, finished.file.mtime_ns,
          finished.file.sha256, done ? finished.audio_ms : 0, static_cast<int>(finished.status.code()),
          Message(finished.status), now_ms)
      .status();
}

absl::Status BatchJournal::EndRun(int64_t now_ms) {
  return database_->Execute("UPDATE runs SET ended_ms = ?2 WHERE id = ?1", run_, now_ms).status();
}

absl::StatusOr<int64_t> BatchJournal::Retry(std::span<const std::string> paths) {
  constexpr std::string_view kRetry = "UPDATE recordings SET state = 0, attempts = 0 WHERE state = 2";
  if (paths.empty()) return database_->Execute(kRetry);
  TUTTI_ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(*database_));
  int64_t all = 0;
  for (const std::string& path : paths) {
    TUTTI_ASSIGN_OR_RETURN(const int64_t rows, database_->Execute(fmt::format("{} AND path = ?1", kRetry), path));
    if (rows == 0) return NotFound("{}: no failed recording {}; nothing was changed", database_->path(), path);
    all += rows;
  }
  TUTTI_RETURN_IF_ERROR(transaction.Commit());
  return all;
}

}  // namespace tutti
