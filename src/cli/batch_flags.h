#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/batch_run.h"
#include "cli/inputs.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/result_writer.h"
#include "tutti/recognizer.h"

namespace tutti {

// The options that every command over recordings has.
class BatchFlags {
 public:
  // `formats` are those the command can write, the first is its default. Keeps a pointer to this.
  void AddTo(CLI::App& app, const std::vector<std::string>& formats);

  // What a run over the inputs needs.
  struct Prepared {
    std::vector<Input> inputs;
    std::shared_ptr<const std::string> standard_input;  // null unless `-` is among them
    std::unique_ptr<ResultWriter> writer;
    std::unique_ptr<ProgressDisplay> display;
  };
  // `adjust`, if any, may change where outputs go, and refuse. Errors are usage errors: nothing was done yet.
  using Adjust = std::function<absl::Status(std::span<const Input>, OutputOptions&)>;
  absl::StatusOr<Prepared> Prepare(const Adjust& adjust = nullptr) const;
  // Reads standard input if `-` is an input. Cancelled when interrupted.
  static absl::Status ReadStandardInput(const Interrupt& interrupt, Prepared& prepared);

  const std::vector<std::string>& formats() const { return formats_; }
  ProgressMode progress_mode() const;
  bool to_files() const { return !output_.empty(); }
  int threads() const { return threads_; }
  bool fail_fast() const { return fail_fast_; }
  const std::string& summary() const { return summary_; }
  // Channels and raw format.
  TranscribeOptions InputOptions() const;

  static AudioInput ToAudioInput(const Input& input, const std::shared_ptr<const std::string>& standard_input);

 private:
  std::vector<std::string> paths_;
  std::vector<std::string> formats_;
  std::string output_;
  bool overwrite_ = false;
  bool skip_existing_ = false;
  std::string channels_ = "mix";
  std::string raw_format_;
  std::string progress_ = "auto";
  bool fail_fast_ = false;
  std::string summary_;
  int threads_ = 0;
};

}  // namespace tutti
