#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "service/file_lock.h"
#include "service/sqlite.h"

namespace tutti {

// What a database file of ours holds.
struct SqliteSchema {
  int64_t application_id = 0;
  int64_t version = 0;
  std::string_view script;    // makes the tables
  std::string_view contents;  // for messages: "tutti's jobs"
};

// A database that nobody else opens this way at the same time. Others may read it. Not thread-safe.
struct OwnSqliteFile {
  std::unique_ptr<FileLock> lock;
  std::unique_ptr<SqliteDatabase> database;
};

// Opens or makes the database in WAL mode with synchronous=FULL, so that what was committed outlives kill -9 and a loss
// of power. A new one has mode 0600: it holds what people said. DataLoss for a file that is no database or a damaged
// one, FailedPrecondition for one of a later schema, of another program, or that is in use. None of them is changed.
absl::StatusOr<OwnSqliteFile> OpenOwn(const std::string& path, const SqliteSchema& schema);

// The same database for reading, also while another has it. NotFound when there is none.
absl::StatusOr<std::unique_ptr<SqliteDatabase>> OpenToRead(const std::string& path, const SqliteSchema& schema);

}  // namespace tutti
