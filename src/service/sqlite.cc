#include "service/sqlite.h"

#include <sqlite3.h>

namespace tutti {
namespace {

absl::Status SqliteError(const std::string& path, int code, std::string_view detail) {
  const std::string message = fmt::format("{}: {} (SQLite error {})", path, detail, code);
  switch (code & 0xff) {  // the rest is detail
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return absl::DataLossError(message);
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return absl::ResourceExhaustedError(message);
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return absl::PermissionDeniedError(message);
    case SQLITE_CONSTRAINT:
      return absl::AlreadyExistsError(message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      return absl::UnavailableError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::Status LastError(const std::string& path, sqlite3* database) {
  return SqliteError(path, sqlite3_extended_errcode(database), sqlite3_errmsg(database));
}

}  // namespace

void SqliteStatement::Finalise::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void SqliteDatabase::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

absl::StatusOr<bool> SqliteStatement::Step() {
  if (bind_result_ != SQLITE_OK) return SqliteError(path_, bind_result_, sqlite3_errstr(bind_result_));
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return LastError(path_, sqlite3_db_handle(statement_.get()));
}

int64_t SqliteStatement::Integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string SqliteStatement::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text), static_cast<size_t>(size));
}

void SqliteStatement::Reset() {
  sqlite3_reset(statement_.get());  // tells the last error once more
  bind_result_ = SQLITE_OK;
}

void SqliteStatement::Bind(int parameter, int64_t value) {
  const int result = sqlite3_bind_int64(statement_.get(), parameter, value);
  if (bind_result_ == SQLITE_OK) bind_result_ = result;
}

void SqliteStatement::Bind(int parameter, std::string_view value) {
  // A null pointer would bind NULL, even with a length of 0.
  const int result = sqlite3_bind_text64(statement_.get(), parameter, value.empty() ? "" : value.data(), value.size(),
                                         SQLITE_TRANSIENT, SQLITE_UTF8);
  if (bind_result_ == SQLITE_OK) bind_result_ = result;
}

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path, int busy_ms) {
  sqlite3* handle = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (handle == nullptr) return absl::ResourceExhaustedError("SQLite: out of memory");
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(path, handle));
  if (result != SQLITE_OK) return LastError(path, handle);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, busy_ms);
  return database;
}

absl::StatusOr<SqliteStatement> SqliteDatabase::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr) != SQLITE_OK) {
    return LastError(path_, database_.get());
  }
  return SqliteStatement(path_, statement);
}

absl::StatusOr<int64_t> SqliteDatabase::RunToEnd(SqliteStatement& statement) {
  const int64_t before = sqlite3_total_changes64(database_.get());
  while (true) {
    TUTTI_ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) return sqlite3_total_changes64(database_.get()) - before;
  }
}

absl::StatusOr<int64_t> SqliteDatabase::QueryInteger(std::string_view sql) {
  TUTTI_ASSIGN_OR_RETURN(SqliteStatement statement, Prepare(sql));
  TUTTI_ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Integer(0) : 0;
}

absl::Status SqliteDatabase::ExecuteScript(const std::string& sql) {
  if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return absl::OkStatus();
  return LastError(path_, database_.get());
}

absl::StatusOr<SqliteTransaction> SqliteTransaction::Begin(SqliteDatabase& database) {
  TUTTI_RETURN_IF_ERROR(database.ExecuteScript("BEGIN IMMEDIATE"));
  return SqliteTransaction(database);
}

SqliteTransaction::~SqliteTransaction() {
  if (database_ != nullptr) (void)database_->ExecuteScript("ROLLBACK");  // an error means that SQLite did it already
}

absl::Status SqliteTransaction::Commit() {
  TUTTI_RETURN_IF_ERROR(database_->ExecuteScript("COMMIT"));
  database_ = nullptr;
  return absl::OkStatus();
}

}  // namespace tutti
