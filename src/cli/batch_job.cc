#include "cli/batch_job.h"

#include <sys/stat.h>

#include <filesystem>
#include <set>
#include <system_error>
#include <unordered_map>

#include "cli/output_names.h"
#include "service/job_clock.h"
#include "service/sha256.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "--format";
constexpr const char* kOutput = "--output";

int64_t NowMs() { return JobClock().unix_ms(); }

FileIdentity Look(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return {};  // a pipe cannot be read twice
  return {.size = info.st_size,
          .mtime_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec,
          .sha256 = ""};
}

bool SameStat(const FileIdentity& a, const FileIdentity& b) { return a.size == b.size && a.mtime_ns == b.mtime_ns; }

std::string Key(const std::string& path, int64_t occurrence) { return fmt::format("{} {}", occurrence, path); }

absl::StatusOr<std::string> Absolute(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  if (error) return Unavailable("{}: cannot make an absolute path of it: {}", path, error.message());
  return absolute.lexically_normal().string();
}

// "--model a (it was b)", …
std::string Differences(const BatchSettings& before, const BatchSettings& now) {
  std::set<std::string> names;
  for (const auto* settings : {&before, &now}) {
    for (const auto& [name, value] : *settings) names.insert(name);
  }
  const auto shown = [](const BatchSettings& settings, const std::string& name) -> std::string {
    const auto at = settings.find(name);
    if (at == settings.end()) return "not given";
    return at->second.empty() ? "''" : at->second;
  };
  std::string differences;
  for (const std::string& name : names) {
    const std::string was = shown(before, name), is = shown(now, name);
    if (was == is) continue;
    differences += fmt::format("{}{} is {} (it was {})", differences.empty() ? "" : ", ", name, is, was);
  }
  return differences;
}

}  // namespace

BatchJob::BatchJob(BatchJobOptions options, std::span<const Input> inputs, std::unique_ptr<BatchJournal> journal)
    : options_(std::move(options)), inputs_(inputs), journal_(std::move(journal)), settings_(options_.settings) {}

absl::StatusOr<std::unique_ptr<BatchJob>> BatchJob::Open(BatchJobOptions options, std::span<const Input> inputs,
                                                         OutputOptions& output) {
  for (const Input& input : inputs) {
    if (input.path == "-") return InvalidArgument("--job: - (standard input) cannot be read again; use a file");
  }
  TUTTI_ASSIGN_OR_RETURN(auto journal, BatchJournal::Open(options.journal));
  std::string folder;
  if (!options.output.empty()) {
    TUTTI_ASSIGN_OR_RETURN(folder, Absolute(options.output));
  }
  std::unique_ptr<BatchJob> job(new BatchJob(std::move(options), inputs, std::move(journal)));
  job->settings_.insert_or_assign(kFormat, fmt::format("{}", fmt::join(job->options_.formats, ",")));
  job->settings_.insert_or_assign(kOutput, folder);
  TUTTI_ASSIGN_OR_RETURN(job->before_, job->journal_->Settings());
  TUTTI_ASSIGN_OR_RETURN(const BatchJournal::Counts counts, job->journal_->CountStates());
  job->any_result_ = counts.done > 0;
  // What Begin will add cannot be compared yet.
  BatchSettings comparable = job->settings_;
  for (const auto& [name, value] : job->before_) {
    if (!name.starts_with("--")) comparable.emplace(name, value);
  }
  TUTTI_RETURN_IF_ERROR(job->Compare(comparable));
  const bool same_files = job->before_[kFormat] == job->settings_[kFormat] && job->before_[kOutput] == folder;
  TUTTI_RETURN_IF_ERROR(job->ReadEntries(!same_files));
  job->NameOutputs();

  output.names.clear();
  output.ours.clear();
  for (const Entry& entry : job->entries_) {
    output.names.push_back(entry.row.output);
    output.ours.push_back(entry.row.output_state != OutputState::kNone);
  }
  output.temporary_suffix = fmt::format(".{}.tmp", job->journal_->id());
  output.sync_points = job->options_.sync_points;
  return job;
}

absl::Status BatchJob::Compare(const BatchSettings& settings) {
  const std::string differences = Differences(before_, settings);
  if (differences.empty() || before_.empty()) return absl::OkStatus();
  if (options_.restart || !any_result_) {  // without a result nothing can contradict
    anew_ = true;
    return absl::OkStatus();
  }
  return FailedPrecondition(
      "{}: this job has other options: {}. Say what it was, use another file, or --job-restart to begin it anew",
      options_.journal, differences);
}

// `forget`: what is known of output files is of no use, since they are now others.
absl::Status BatchJob::ReadEntries(bool forget) {
  anew_ |= options_.restart;
  TUTTI_ASSIGN_OR_RETURN(std::vector<JournalRecording> rows, journal_->Recordings());
  std::unordered_map<std::string, size_t> known;
  for (size_t i = 0; i < rows.size(); ++i) {
    known.emplace(Key(rows[i].path, rows[i].occurrence), i);
    if (rows[i].output_state == OutputState::kStale) stale_.push_back(rows[i]);
  }
  std::unordered_map<std::string, int64_t> occurrences;
  entries_.resize(inputs_.size());
  for (size_t i = 0; i < inputs_.size(); ++i) {
    Entry& entry = entries_[i];
    if (!inputs_[i].status.ok()) continue;
    TUTTI_ASSIGN_OR_RETURN(const std::string path, Absolute(inputs_[i].path));
    const int64_t occurrence = occurrences[path]++;
    entry.named = true;
    entry.found = Look(path);
    if (const auto at = known.find(Key(path, occurrence)); at != known.end()) entry.row = std::move(rows[at->second]);
    if (anew_) {
      const OutputState outputs = entry.row.output_state;
      entry.row = {.output = std::move(entry.row.output), .output_state = std::min(outputs, OutputState::kStale)};
    }
    if (forget) {
      entry.row.output.clear();
      entry.row.output_state = OutputState::kNone;
    }
    entry.row.path = path;
    entry.row.occurrence = occurrence;
    entry.row.position = static_cast<int64_t>(i);
  }
  return absl::OkStatus();
}

// What has a name keeps it; others get theirs, or with a number where it is taken.
void BatchJob::NameOutputs() {
  const std::vector<std::string> names = OutputNames(inputs_);
  std::set<std::string> taken;
  for (const Entry& entry : entries_) {
    if (!entry.row.output.empty()) taken.insert(entry.row.output);
  }
  for (size_t i = 0; i < entries_.size(); ++i) {
    std::string& name = entries_[i].row.output;
    if (!name.empty()) continue;
    name = names[i];
    for (int number = 2; !taken.insert(name).second; ++number) name = fmt::format("{}.{}", names[i], number);
  }
}

absl::Status BatchJob::Begin(const BatchSettings& more) {
  for (const auto& [name, value] : more) settings_.insert_or_assign(name, value);
  TUTTI_RETURN_IF_ERROR(Compare(settings_));
  RemoveTemporaries(stale_, before_);
  std::vector<JournalRecording> rows;
  std::vector<size_t> indices;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!entries_[i].named) continue;
    indices.push_back(i);
    rows.push_back(std::move(entries_[i].row));
    if (anew_) rows.back().id = 0;
  }
  absl::Status status = journal_->Begin(settings_, rows, anew_, NowMs());
  for (size_t k = 0; k < rows.size(); ++k) entries_[indices[k]].row = std::move(rows[k]);
  return status;
}

void BatchJob::RemoveTemporaries(std::span<const JournalRecording> rows, const BatchSettings& before) const {
  const auto folder = before.find(kOutput), formats = before.find(kFormat);
  if (folder == before.end() || formats == before.end() || folder->second.empty()) return;
  std::string_view rest = formats->second;
  while (!rest.empty()) {
    const std::string_view format = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), format.size() + 1));
    for (const JournalRecording& row : rows) {
      std::error_code ignored;
      fs::remove(fs::path(folder->second) / fmt::format("{}.{}.{}.tmp", row.output, format, journal_->id()), ignored);
    }
  }
}

bool BatchJob::looks_done(size_t index) const {
  const Entry& entry = entries_[index];
  if (!entry.named || entry.row.state != RecordingState::kDone) return false;
  return SameStat(entry.found, entry.row.file) || entry.found.size < 0;  // its result stays when a recording is removed
}

absl::StatusOr<BatchJob::Turn> BatchJob::Next(size_t index) {
  Entry& entry = entries_[index];
  if (!entry.named || entry.row.state == RecordingState::kWaiting) return Turn::kTranscribe;
  if (looks_done(index)) return Turn::kDone;
  bool same = SameStat(entry.found, entry.row.file);
  if (!same && entry.found.size == entry.row.file.size && !entry.row.file.sha256.empty()) {
    const auto hash = Sha256OfFile(entry.row.path);
    same = hash.ok() && *hash == entry.row.file.sha256;
    if (same) news_.touched.emplace_back(entry.row.id, entry.found.mtime_ns);
  }
  if (!same) {
    entry.row.attempts = 0;
    return Turn::kTranscribe;
  }
  if (entry.row.state == RecordingState::kDone) return Turn::kDone;
  return entry.row.attempts > options_.retries ? Turn::kFailed : Turn::kTranscribe;
}

absl::StatusOr<std::vector<std::string>> BatchJob::Texts(size_t index) const {
  return journal_->Texts(entries_[index].row.id, options_.formats);
}

bool BatchJob::output_is_stale(size_t index) const { return entries_[index].row.output_state != OutputState::kWritten; }

absl::Status BatchJob::failure(size_t index) const {
  const JournalRecording& row = entries_[index].row;
  return {row.error.code(), fmt::format("{} (tried {} times; `tutti job retry {}` lets it be tried again)",
                                        Message(row.error), row.attempts, options_.journal)};
}

void BatchJob::Started(size_t index) { entries_[index].found = Look(entries_[index].row.path); }

// With the hash if the file is what it was at the start: then what was transcribed is what was hashed.
FileIdentity BatchJob::IdentityAfter(const Entry& entry) const {
  FileIdentity identity = entry.found;
  if (identity.size < 0) return identity;
  auto hash = Sha256OfFile(entry.row.path);
  if (hash.ok() && SameStat(Look(entry.row.path), identity)) identity.sha256 = *std::move(hash);
  return identity;
}

absl::Status BatchJob::Record(std::span<const std::pair<size_t, Outcome>> outcomes) {
  for (const auto& [index, outcome] : outcomes) {
    const Entry& entry = entries_[index];
    if (absl::IsCancelled(outcome.status) || !entry.named) continue;
    const bool done = outcome.status.ok();
    news_.finished.push_back({.id = entry.row.id,
                              .file = done ? IdentityAfter(entry) : entry.found,
                              .status = outcome.status,
                              .attempts = entry.row.attempts + outcome.attempts,
                              .texts = outcome.texts,
                              .audio_ms = outcome.audio_ms});
  }
  ReachSyncPoint(options_.sync_points, "BatchJob:before_commit");
  const absl::Status status = journal_->Record(news_, options_.formats, NowMs());
  news_.finished.clear();  // it holds references to `outcomes`
  if (!status.ok()) return WithContext(status, "the job stops here, and goes on when it is started again");
  news_ = {};
  ReachSyncPoint(options_.sync_points, "BatchJob:committed");
  return absl::OkStatus();
}

void BatchJob::OutputWritten(size_t index) {
  news_.written.push_back(entries_[index].row.id);
  ReachSyncPoint(options_.sync_points, "BatchJob:output_written");
}

absl::Status BatchJob::End() {
  TUTTI_RETURN_IF_ERROR(Record({}));
  return journal_->EndRun(NowMs());
}

}  // namespace tutti
