#include "service/sqlite_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file.h"

namespace tutti {
namespace {

constexpr int kBusyMs = 10'000;

// The version found; 0: it is empty.
absl::StatusOr<int64_t> CheckedVersion(SqliteDatabase& database, const SqliteSchema& schema) {
  TUTTI_ASSIGN_OR_RETURN(const int64_t version, database.QueryInteger("PRAGMA user_version"));
  TUTTI_ASSIGN_OR_RETURN(const int64_t application, database.QueryInteger("PRAGMA application_id"));
  TUTTI_ASSIGN_OR_RETURN(const int64_t tables, database.QueryInteger("SELECT count(*) FROM sqlite_master"));
  if (application != schema.application_id && (tables > 0 || version != 0 || application != 0)) {
    return FailedPrecondition("{}: a database of another program; expected one of {}, or no file", database.path(),
                              schema.contents);
  }
  if (version > schema.version) {
    return FailedPrecondition("{}: schema {} of a later tutti; this one knows up to {}", database.path(), version,
                              schema.version);
  }
  return version;
}

absl::Status Prepare(SqliteDatabase& database, const SqliteSchema& schema) {
  TUTTI_ASSIGN_OR_RETURN(const int64_t version, CheckedVersion(database, schema));
  TUTTI_RETURN_IF_ERROR(database.ExecuteScript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"));
  if (version == schema.version) return absl::OkStatus();
  TUTTI_ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(database));
  TUTTI_RETURN_IF_ERROR(database.ExecuteScript(fmt::format("{} PRAGMA user_version = {}; PRAGMA application_id = {};",
                                                           schema.script, schema.version, schema.application_id)));
  return transaction.Commit();
}

}  // namespace

absl::StatusOr<OwnSqliteFile> OpenOwn(const std::string& path, const SqliteSchema& schema) {
  OwnSqliteFile own;
  TUTTI_ASSIGN_OR_RETURN(own.lock, FileLock::Take(path));
  // SQLite would make it readable for everybody; an empty file is a new database, and -wal and -shm take its mode.
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Unavailable("{}: cannot open: {}", path, std::strerror(errno));
  close(fd);
  TUTTI_ASSIGN_OR_RETURN(own.database, SqliteDatabase::Open(path, kBusyMs));
  TUTTI_RETURN_IF_ERROR(Prepare(*own.database, schema));
  return own;
}

absl::StatusOr<std::unique_ptr<SqliteDatabase>> OpenToRead(const std::string& path, const SqliteSchema& schema) {
  if (access(path.c_str(), F_OK) != 0) return SystemError("open", path, errno);
  TUTTI_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database, SqliteDatabase::Open(path, kBusyMs));
  TUTTI_ASSIGN_OR_RETURN(const int64_t version, CheckedVersion(*database, schema));
  if (version == 0) return FailedPrecondition("{}: empty; expected one of {}", path, schema.contents);
  return database;
}

}  // namespace tutti
