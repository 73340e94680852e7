#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/sync_point.h"
#include "cli/inputs.h"

namespace tutti {

struct OutputOptions {
  std::vector<std::string> extensions;  // one a format; exactly one without a directory
  std::string directory;                // empty: standard output
  bool overwrite = false;
  bool skip_existing = false;

  // Of a job with a journal (cli/batch_job.h); both empty without one, else as many as inputs.
  std::vector<std::string> names = {};  // below the folder, in place of OutputNames
  std::vector<bool> ours = {};  // files of this input, if there are any, are the job's own: neither refused nor kept
  // A file is on the disk before its name appears, and is called its name and this until then. Empty: any name will do.
  std::string temporary_suffix = {};
  SyncPoints* sync_points = nullptr;  // tests only
};

// Where results go: files below a folder, each as soon as it is there, or standard output in the order of the inputs.
// Not thread-safe.
class ResultWriter {
 public:
  // FailedPrecondition when an output file exists and neither option says what to do about it. `out` is standard
  // output, except in tests.
  static absl::StatusOr<std::unique_ptr<ResultWriter>> Create(std::span<const Input> inputs, OutputOptions options,
                                                              std::FILE* out = stdout);

  bool to_files() const { return !options_.directory.empty(); }
  const std::vector<std::string>& extensions() const { return options_.extensions; }

  // All output files of this input exist and --skip-existing was given.
  bool is_done(size_t index) const { return done_[index]; }
  // All output files of this input were there at the start.
  bool had_all(size_t index) const { return had_all_[index]; }

  // `texts` holds one a format. To files: a name appears only with its whole content.
  absl::Status Write(size_t index, std::span<const std::string> texts);

  // The input has no result; on standard output `text` (may be empty) stands in its place.
  absl::Status WriteFailure(size_t index, std::string text);

  // Nothing more will come: prints what waits for inputs that were never finished.
  absl::Status Finish();

 private:
  ResultWriter(OutputOptions options, std::vector<std::string> names, std::FILE* out);

  absl::Status WriteFile(const std::string& name, const std::string& text) const;

  std::string FileName(size_t index, size_t format) const;
  absl::Status PrintInOrder();
  absl::Status Print(const std::string& text);

  const OutputOptions options_;
  const std::vector<std::string> names_;  // below the folder, without extension
  std::FILE* const out_;
  std::vector<bool> done_, had_all_;
  std::vector<std::optional<std::string>> waiting_;  // for their turn on standard output
  size_t next_ = 0;                                  // to be printed
};

}  // namespace tutti
