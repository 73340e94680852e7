#include "cli/job_flags.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "cli/option_text.h"

namespace tutti {
namespace {

constexpr std::string_view kGroup = "Job";

// They say where, how fast and how often the work is done; compute type, format and folder are compared in forms of
// their own.
constexpr std::array<std::string_view, 25> kOfNoMatter = {
    "--overwrite",     "--skip-existing",  "--summary",   "--progress",       "--fail-fast",     "--threads",
    "--compute-type",  "--decode-threads", "--pin",       "--latency",        "--batch-seconds", "--queue-seconds",
    "--job-retries",   "--isolation",      "--processes", "--process-memory", "--help",          "--retries",
    "--job",           "--job-restart",    "--format",    "--output",         "--recycle-after", "--recycle-minutes",
    "--recycle-memory"};

}  // namespace

void JobFlags::AddTo(CLI::App& app) {
  app_ = &app;
  CLI::Option* job =
      app.add_option("--job", journal_,
                     "keep what is done in this file, and go on from there when the same command is given again")
          ->option_text("FILE.db")
          ->group(std::string(kGroup));
  app.add_flag("--job-restart", restart_, "forget what the file says is done")->needs(job)->group(std::string(kGroup));
  app.add_option("--job-retries", retries_, "how often a later run of the job tries a recording that failed again")
      ->check(CLI::Range(0, 1000))
      ->needs(job)
      ->option_text("N")
      ->default_str("2")
      ->group(std::string(kGroup));
  if (CLI::Option* skip = app.get_option_no_throw("--skip-existing")) job->excludes(skip);
}

absl::StatusOr<std::unique_ptr<BatchJob>> JobFlags::Open(const BatchSettings& settings, std::span<const Input> inputs,
                                                         OutputOptions& output) const {
  BatchSettings all = SettingsOf(*app_);
  for (const auto& [name, value] : settings) all.insert_or_assign(name, value);
  return BatchJob::Open({.journal = journal_,
                         .restart = restart_,
                         .retries = retries_,
                         .formats = output.extensions,
                         .output = output.directory,
                         .settings = std::move(all)},
                        inputs, output);
}

// The voice activity options have the model's defaults, not ours: only what is given counts.
BatchSettings SettingsOf(const CLI::App& command) {
  BatchSettings settings;
  for (const auto& [group, options] : OptionGroups(command)) {
    for (const CLI::Option* option : options) {
      const std::string name = option->get_name(false, false);
      if (std::ranges::find(kOfNoMatter, name) != kOfNoMatter.end()) continue;
      if (option->count() == 0 && group == "Voice activity") continue;
      settings.emplace(name, option->count() == 0 ? option->get_default_str()
                                                  : fmt::format("{}", fmt::join(option->results(), ",")));
    }
  }
  return settings;
}

}  // namespace tutti
