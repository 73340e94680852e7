#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/sync_point.h"
#include "cli/batch_run.h"
#include "cli/inputs.h"
#include "cli/result_writer.h"
#include "service/batch_journal.h"

namespace tutti {

struct BatchJobOptions {
  std::string journal;   // path
  bool restart = false;  // forget what earlier runs did
  int retries = 2;       // how often a recording that failed is tried again, in later runs
  std::vector<std::string> formats;
  std::string output;                 // folder, as given; empty: standard output
  BatchSettings settings;             // besides formats and output folder
  SyncPoints* sync_points = nullptr;  // tests only
};

// One run of a job that can be started again until it is done: finished recordings are not transcribed again, unless
// they changed. RunBatch asks it what to do with each and tells it what became of them.
//
// A recording is known by its absolute path, so the job can go on from another working folder. It keeps its output's
// name, also when inputs come in between that would change what OutputNames calls it. A recording that is no longer
// among the inputs stays in the journal as it is.
//
// Not thread-safe; the journal's rules about crashes are those of BatchJournal.
class BatchJob {
 public:
  // Opens the journal and compares its settings: FailedPrecondition names those that differ. Fills in names, ours and
  // temporary_suffix of `output`. Nothing is changed yet but that an absent journal is made. `inputs` outlive it.
  static absl::StatusOr<std::unique_ptr<BatchJob>> Open(BatchJobOptions options, std::span<const Input> inputs,
                                                        OutputOptions& output);

  // Before RunBatch. `more` are settings that are known only now, under names that do not begin with "--". Errors as of
  // Open.
  absl::Status Begin(const BatchSettings& more);

  // By size and time alone: Next will say kDone.
  bool looks_done(size_t index) const;
  enum class Turn { kTranscribe, kDone, kFailed };
  // What to do about the recording. May read it, to compare its hash.
  absl::StatusOr<Turn> Next(size_t index);

  // Of a recording that is done: its result, one text a format, and whether its files must be written in any case.
  absl::StatusOr<std::vector<std::string>> Texts(size_t index) const;
  bool output_is_stale(size_t index) const;
  // Of a recording that failed and is not tried again.
  absl::Status failure(size_t index) const;

  // It is handed to the recogniser now.
  void Started(size_t index);
  // Keeps what these came to, all or nothing; only then their outputs may be written. A Cancelled one is left out.
  absl::Status Record(std::span<const std::pair<size_t, Outcome>> outcomes);
  // All its files are there. Kept with the next Record or End.
  void OutputWritten(size_t index);
  absl::Status End();

  absl::StatusOr<BatchJournal::Counts> counts() const { return journal_->CountStates(); }

 private:
  // One input; `row` is what the journal knows of it.
  struct Entry {
    bool named = false;  // false: the argument names no recording, and the journal knows nothing of it
    JournalRecording row;
    FileIdentity found;  // without hash
  };

  BatchJob(BatchJobOptions options, std::span<const Input> inputs, std::unique_ptr<BatchJournal> journal);

  absl::Status Compare(const BatchSettings& settings);
  absl::Status ReadEntries(bool forget);
  void NameOutputs();
  void RemoveTemporaries(std::span<const JournalRecording> rows, const BatchSettings& before) const;
  FileIdentity IdentityAfter(const Entry& entry) const;

  const BatchJobOptions options_;
  const std::span<const Input> inputs_;
  const std::unique_ptr<BatchJournal> journal_;
  BatchSettings settings_;
  BatchSettings before_;  // of the journal
  bool any_result_ = false;
  bool anew_ = false;
  std::vector<Entry> entries_;           // by index
  std::vector<JournalRecording> stale_;  // whose outputs a killed run may have been writing
  BatchJournal::News news_;              // not recorded yet
};

}  // namespace tutti
