#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tutti {

// A prepared statement; finalised at its end. Not thread-safe; must not outlive its database.
class SqliteStatement {
 public:
  // The next row. False when there is none (for statements without rows: it is done).
  absl::StatusOr<bool> Step();

  // Runs it anew with these parameters, to its end: for many rows, since preparing takes longer than running.
  template <typename... Values>
  absl::Status Run(const Values&... values) {
    Reset();
    [[maybe_unused]] int parameter = 0;
    (Bind(++parameter, values), ...);
    while (true) {
      TUTTI_ASSIGN_OR_RETURN(const bool row, Step());
      if (!row) return absl::OkStatus();
    }
  }

  int64_t Integer(int column) const;
  std::string Text(int column) const;

 private:
  friend class SqliteDatabase;
  struct Finalise {
    void operator()(sqlite3_stmt* statement) const;
  };

  SqliteStatement(const std::string& path, sqlite3_stmt* statement) : path_(path), statement_(statement) {}

  void Reset();
  // Parameters are numbered from 1. An error is told by the next Step.
  void Bind(int parameter, int64_t value);
  void Bind(int parameter, std::string_view value);

  std::string path_;
  std::unique_ptr<sqlite3_stmt, Finalise> statement_;
  int bind_result_ = 0;
};

// A connection to an SQLite file. Errors name the file: DataLoss for what is no database or a damaged one,
// ResourceExhausted for a full disk, Unavailable where another holds it for too long, AlreadyExists for a key that is
// there.
//
// Not thread-safe: whoever owns it brings the lock.
class SqliteDatabase {
 public:
  // Made when missing. Waits up to `busy_ms` for another process's lock.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path, int busy_ms);

  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  const std::string& path() const { return path_; }

  // Parameters ?1, ?2, … are integers or text.
  template <typename... Values>
  absl::StatusOr<SqliteStatement> Query(std::string_view sql, const Values&... values) {
    TUTTI_ASSIGN_OR_RETURN(SqliteStatement statement, Prepare(sql));
    [[maybe_unused]] int parameter = 0;
    (statement.Bind(++parameter, values), ...);
    return statement;
  }

  // Runs one statement to its end; returns how many rows it changed.
  template <typename... Values>
  absl::StatusOr<int64_t> Execute(std::string_view sql, const Values&... values) {
    TUTTI_ASSIGN_OR_RETURN(SqliteStatement statement, Query(sql, values...));
    return RunToEnd(statement);
  }

  // The integer in the first column of the first row, 0 without a row.
  absl::StatusOr<int64_t> QueryInteger(std::string_view sql);

  // All statements of a script, without parameters.
  absl::Status ExecuteScript(const std::string& sql);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };

  SqliteDatabase(std::string path, sqlite3* database) : path_(std::move(path)), database_(database) {}

  absl::StatusOr<SqliteStatement> Prepare(std::string_view sql);
  absl::StatusOr<int64_t> RunToEnd(SqliteStatement& statement);

  const std::string path_;
  const std::unique_ptr<sqlite3, Close> database_;
};

// From here to Commit all or nothing happens. Takes the right to write at once, so that nothing in between fails for
// want of it. Without Commit everything is taken back.
class SqliteTransaction {
 public:
  static absl::StatusOr<SqliteTransaction> Begin(SqliteDatabase& database);
  ~SqliteTransaction();

  SqliteTransaction(SqliteTransaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  SqliteTransaction& operator=(SqliteTransaction&&) = delete;

  absl::Status Commit();

 private:
  explicit SqliteTransaction(SqliteDatabase& database) : database_(&database) {}

  SqliteDatabase* database_;  // null: over
};

}  // namespace tutti
