#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"
#include "cli/batch_job.h"
#include "cli/inputs.h"
#include "cli/result_writer.h"

namespace tutti {

// The options of a job that can be started again (cli/batch_job.h).
class JobFlags {
 public:
  // Keeps a pointer to this and to `app`, whose other options are the job's settings.
  void AddTo(CLI::App& app);

  bool given() const { return !journal_.empty(); }
  const std::string& journal() const { return journal_; }

  // `settings` replace what the command line says about these options: a model's directory in place of its name. Errors
  // as of BatchJob::Open.
  absl::StatusOr<std::unique_ptr<BatchJob>> Open(const BatchSettings& settings, std::span<const Input> inputs,
                                                 OutputOptions& output) const;

 private:
  const CLI::App* app_ = nullptr;
  std::string journal_;
  bool restart_ = false;
  int retries_ = 2;
};

// What the command line says of each option that results depend on: all but those that are known not to matter, so that
// an option that comes later is compared as well.
BatchSettings SettingsOf(const CLI::App& command);

}  // namespace tutti
