#include "cli/job_command.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "base/print.h"
#include "cli/exit_codes.h"
#include "cli/job_report.h"
#include "cli/usage_error.h"
#include "service/batch_journal.h"
#include "service/file_lock.h"
#include "service/job_clock.h"

namespace tutti {
namespace {

// Formats that the job writes.
absl::StatusOr<std::vector<std::string>> FormatsOf(const BatchJournal& journal) {
  TUTTI_ASSIGN_OR_RETURN(const BatchSettings settings, journal.Settings());
  std::vector<std::string> formats;
  const auto given = settings.find("--format");
  std::string_view rest = given == settings.end() ? "" : std::string_view(given->second);
  while (!rest.empty()) {
    formats.emplace_back(rest.substr(0, rest.find(',')));
    rest.remove_prefix(std::min(rest.size(), formats.back().size() + 1));
  }
  return formats;
}

absl::StatusOr<JobReport> ReportOf(const std::string& file) {
  TUTTI_ASSIGN_OR_RETURN(const auto journal, BatchJournal::OpenToRead(file));
  JobReport report;
  report.file = file;
  report.running = FileLock::IsHeld(file);
  report.now_ms = JobClock().unix_ms();
  TUTTI_ASSIGN_OR_RETURN(report.counts, journal->CountStates());
  TUTTI_ASSIGN_OR_RETURN(report.run, journal->LastRun());
  if (report.counts.failed == 0) return report;
  TUTTI_ASSIGN_OR_RETURN(std::vector<JournalRecording> recordings, journal->Recordings());
  for (JournalRecording& each : recordings) {
    if (each.state == RecordingState::kFailed) report.failed.push_back(std::move(each));
  }
  return report;
}

absl::Status Print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return absl::OkStatus();
  return Unavailable("standard output: cannot be written");
}

}  // namespace

CLI::App* JobCommand::Define(CLI::App& app) {
  CLI::App* command = app.add_subcommand("job", "look at a job of `tutti transcribe --job`, also while it runs");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  tutti transcribe --job calls.db --output texts calls/     (again: goes on)\n"
      "  tutti job status calls.db\n"
      "  tutti job retry calls.db\n"
      "  tutti job export --format txt calls.db");
  status_ = command->add_subcommand("status", "how far the job is, and what failed");
  status_->add_flag("--json", json_, "print JSON");
  retry_ = command->add_subcommand("retry", "have the next run try failed recordings again, as often as at first");
  CLI::App* export_command =
      command->add_subcommand("export", "print what the job knows of each recording, one JSON object a line");
  export_command->add_option("--format", format_, "print only the results in this format, as transcribe does")
      ->option_text("FORMAT");
  for (CLI::App* each : {status_, retry_, export_command}) {
    each->add_option("FILE.db", file_, "the file that --job named")->required();
  }
  retry_->add_option("PATH", paths_, "these only; without one, all that failed");
  return command;
}

int JobCommand::Run() const {
  if (status_->parsed()) return Status();
  return retry_->parsed() ? Retry() : Export();
}

int JobCommand::Status() const {
  const auto report = ReportOf(file_);
  if (!report.ok()) return CannotStart(report.status());
  const absl::Status printed = Print(json_ ? RenderJson(*report) : RenderText(*report));
  return printed.ok() ? kExitOk : CannotStart(printed);
}

int JobCommand::Retry() const {
  std::vector<std::string> paths;
  for (const std::string& path : paths_) {
    std::error_code ignored;
    paths.push_back(std::filesystem::absolute(path, ignored).lexically_normal());
  }
  std::error_code error;
  if (!std::filesystem::exists(file_, error)) return CannotStart(NotFound("{}: no such job", file_));
  const auto journal = BatchJournal::Open(file_);
  if (!journal.ok()) return CannotStart(journal.status());
  const auto retried = (*journal)->Retry(paths);
  if (!retried.ok()) return CannotStart(retried.status());
  PrintText(stderr, "tutti: {}: {} {} again\n", file_, *retried, *retried == 1 ? "recording waits" : "recordings wait");
  return kExitOk;
}

int JobCommand::Export() const {
  const auto print_all = [this]() -> absl::Status {
    TUTTI_ASSIGN_OR_RETURN(const auto journal, BatchJournal::OpenToRead(file_));
    TUTTI_ASSIGN_OR_RETURN(std::vector<std::string> formats, FormatsOf(*journal));
    if (!format_.empty() && std::find(formats.begin(), formats.end(), format_) == formats.end()) {
      return InvalidArgument("--format {}: the job has {}", format_, fmt::join(formats, ", "));
    }
    if (!format_.empty()) formats = {format_};
    TUTTI_ASSIGN_OR_RETURN(const std::vector<JournalRecording> recordings, journal->Recordings());
    for (const JournalRecording& each : recordings) {
      std::vector<std::string> texts;
      if (each.state == RecordingState::kDone) {
        TUTTI_ASSIGN_OR_RETURN(texts, journal->Texts(each.id, formats));
      }
      if (format_.empty()) {
        TUTTI_RETURN_IF_ERROR(Print(ExportLine(each, formats, texts)));
      } else if (!texts.empty()) {
        TUTTI_RETURN_IF_ERROR(Print(texts.front()));
      }
    }
    return std::fflush(stdout) == 0 ? absl::OkStatus() : Unavailable("standard output: cannot be written");
  };
  const absl::Status status = print_all();
  return status.ok() ? kExitOk : CannotStart(status);
}

}  // namespace tutti
