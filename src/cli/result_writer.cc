#include "cli/result_writer.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "cli/output_names.h"

namespace tutti {

namespace fs = std::filesystem;

absl::StatusOr<std::unique_ptr<ResultWriter>> ResultWriter::Create(std::span<const Input> inputs, OutputOptions options,
                                                                   std::FILE* out) {
  std::vector<std::string> names = std::move(options.names);
  if (options.directory.empty()) {
    names.clear();
  } else if (names.empty()) {
    names = OutputNames(inputs);
  }
  std::unique_ptr<ResultWriter> writer(new ResultWriter(std::move(options), std::move(names), out));
  writer->done_.resize(inputs.size());
  writer->had_all_.resize(inputs.size());
  writer->waiting_.resize(inputs.size());

  size_t existing = 0;
  std::string example;
  for (size_t i = 0; i < writer->names_.size(); ++i) {
    size_t found = 0;
    for (size_t format = 0; format < writer->options_.extensions.size(); ++format) {
      std::error_code error;
      if (!fs::exists(writer->FileName(i, format), error)) continue;
      ++found;
      if (!writer->options_.ours.empty() && writer->options_.ours[i]) continue;
      if (existing++ == 0) example = writer->FileName(i, format);
    }
    writer->had_all_[i] = found == writer->options_.extensions.size();
    writer->done_[i] = writer->options_.skip_existing && writer->had_all_[i];
  }
  if (existing > 0 && !writer->options_.overwrite && !writer->options_.skip_existing) {
    return FailedPrecondition("{} exists{}: say --overwrite or --skip-existing", example,
                              existing > 1 ? fmt::format(", and {} more output files", existing - 1) : "");
  }
  return writer;
}

ResultWriter::ResultWriter(OutputOptions options, std::vector<std::string> names, std::FILE* out)
    : options_(std::move(options)), names_(std::move(names)), out_(out) {}

std::string ResultWriter::FileName(size_t index, size_t format) const {
  return (fs::path(options_.directory) / (names_[index] + "." + options_.extensions[format])).string();
}

absl::Status ResultWriter::Write(size_t index, std::span<const std::string> texts) {
  if (options_.directory.empty()) {
    waiting_[index] = texts.front();
    return PrintInOrder();
  }
  const fs::path folder = fs::path(FileName(index, 0)).parent_path();
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    return absl::UnavailableError(fmt::format("{}: cannot make the folder: {}", folder.string(), error.message()));
  }
  for (size_t format = 0; format < texts.size(); ++format) {
    TUTTI_RETURN_IF_ERROR(WriteFile(FileName(index, format), texts[format]));
  }
  return absl::OkStatus();
}

absl::Status ResultWriter::WriteFile(const std::string& name, const std::string& text) const {
  if (options_.temporary_suffix.empty()) return WriteFileAtomically(name, text);
  return WriteFileDurably(name, name + options_.temporary_suffix, text, options_.sync_points);
}

absl::Status ResultWriter::WriteFailure(size_t index, std::string text) {
  if (!options_.directory.empty()) return absl::OkStatus();
  waiting_[index] = std::move(text);
  return PrintInOrder();
}

absl::Status ResultWriter::Finish() {
  for (; next_ < waiting_.size(); ++next_) {
    if (waiting_[next_]) TUTTI_RETURN_IF_ERROR(Print(*std::exchange(waiting_[next_], std::nullopt)));
  }
  return absl::OkStatus();
}

absl::Status ResultWriter::PrintInOrder() {
  for (; next_ < waiting_.size() && waiting_[next_]; ++next_) {
    TUTTI_RETURN_IF_ERROR(Print(*std::exchange(waiting_[next_], std::nullopt)));
  }
  return absl::OkStatus();
}

absl::Status ResultWriter::Print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), out_) == text.size() && std::fflush(out_) == 0) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("standard output: {}", std::strerror(errno)));
}

}  // namespace tutti
