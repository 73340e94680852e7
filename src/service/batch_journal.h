#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace tutti {

class FileLock;
class SqliteDatabase;

// The options that results depend on, by name: "--model", …
using BatchSettings = std::map<std::string, std::string>;

enum class RecordingState { kWaiting, kDone, kFailed };
// What is known of a recording's output files.
enum class OutputState {
  kNone,     // none of ours can be there
  kStale,    // may be there, with an earlier result or this one
  kWritten,  // was there with this result
};

std::string_view Name(RecordingState state);  // "waiting", …

// A file's content by its size, the time of its last change, and, where those leave a doubt, its hash.
struct FileIdentity {
  int64_t size = -1;        // bytes; -1: no such file
  int64_t mtime_ns = 0;     // since 1970
  std::string sha256 = {};  // hexadecimal; empty: not known
};

struct JournalRecording {
  int64_t id = 0;           // 0: not in the journal yet
  std::string path = {};    // absolute
  int64_t occurrence = 0;   // of the same path: 0, 1, …
  int64_t position = 0;     // among the inputs
  std::string output = {};  // below the output folder, without extension
  OutputState output_state = OutputState::kNone;
  RecordingState state = RecordingState::kWaiting;
  int attempts = 0;        // that failed; of this content
  FileIdentity file = {};  // as it was when it was transcribed, or tried
  int64_t audio_ms = 0;
  absl::Status error = {};  // when failed
  int64_t finished_ms = 0;  // Unix time
};

// How one recording ended.
struct FinishedRecording {
  int64_t id = 0;
  FileIdentity file = {};
  absl::Status status = {};
  int attempts = 1;                         // that failed, when it failed
  std::span<const std::string> texts = {};  // one a format, when done
  int64_t audio_ms = 0;
};

// What a batch of recordings came to: which are done, with their results, and how often the others were tried. SQLite
// in WAL mode with synchronous=FULL: what a call returned OK for outlives kill -9 and a loss of power, and what it did
// not is not there at all.
//
// The journal is the truth and output files are made from it: a result is committed before its files are written, and
// that they are written is noted afterwards. Whatever stops in between, the next run can write them, and knows that
// they are its own.
//
// One owner a file (PATH.lock); others may read it meanwhile. Not thread-safe.
class BatchJournal {
 public:
  // Opens or makes it. Errors as of OpenOwn (service/sqlite_file.h).
  static absl::StatusOr<std::unique_ptr<BatchJournal>> Open(const std::string& path);
  // For reading only, as it is now, also while another owns it. NotFound when there is none.
  static absl::StatusOr<std::unique_ptr<BatchJournal>> OpenToRead(const std::string& path);
  ~BatchJournal();

  BatchJournal(const BatchJournal&) = delete;
  BatchJournal& operator=(const BatchJournal&) = delete;

  // Random, of this journal.
  const std::string& id() const { return id_; }

  // Empty before the first run.
  absl::StatusOr<BatchSettings> Settings() const;
  // All there are, by position.
  absl::StatusOr<std::vector<JournalRecording>> Recordings() const;
  // One a format, in the order of `formats`; an empty text where there is none. NotFound for a recording without
  // result.
  absl::StatusOr<std::vector<std::string>> Texts(int64_t id, std::span<const std::string> formats) const;

  struct Counts {
    int64_t waiting = 0, done = 0, failed = 0;
    int64_t audio_ms = 0;  // of those that are done
    int64_t all() const { return waiting + done + failed; }
  };
  absl::StatusOr<Counts> CountStates() const;

  // One start of the program. Times are Unix times.
  struct Run {
    int64_t started_ms = 0, last_ms = 0, ended_ms = 0;  // 0: not yet, or killed
    int64_t done = 0, failed = 0, audio_ms = 0;
  };
  // The last one; all zero before the first.
  absl::StatusOr<Run> LastRun() const;

  // Begins a run, in one transaction: adds recordings whose id is 0, sets their id, and keeps position and output of
  // the others. `anew` forgets all that was there before, but not who owns the outputs: that is told by output_state of
  // `recordings`.
  absl::Status Begin(const BatchSettings& settings, std::span<JournalRecording> recordings, bool anew, int64_t now_ms);

  // What happened since the last call, in one transaction.
  struct News {
    std::vector<FinishedRecording> finished = {};
    std::vector<int64_t> written = {};                      // ids whose output files are all there
    std::vector<std::pair<int64_t, int64_t>> touched = {};  // id and new mtime_ns: changed in nothing but that
  };
  absl::Status Record(const News& news, std::span<const std::string> formats, int64_t now_ms);

  absl::Status EndRun(int64_t now_ms);

  // Failed recordings wait again, as if never tried: all of them, or those with these paths. Returns how many.
  absl::StatusOr<int64_t> Retry(std::span<const std::string> paths);

 private:
  BatchJournal(std::unique_ptr<FileLock> lock, std::unique_ptr<SqliteDatabase> database);

  absl::Status ReadId();
  absl::Status Add(std::span<JournalRecording> recordings);
  absl::Status Finish(const FinishedRecording& finished, std::span<const std::string> formats, int64_t now_ms);

  const std::unique_ptr<FileLock> lock_;  // null: for reading
  const std::unique_ptr<SqliteDatabase> database_;
  std::string id_;
  int64_t run_ = 0;  // its id in the table; 0: Begin was not called
};

}  // namespace tutti
