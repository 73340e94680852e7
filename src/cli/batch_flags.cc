#include "cli/batch_flags.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "audio/decoder.h"
#include "cli/standard_input.h"

namespace tutti {

void BatchFlags::AddTo(CLI::App& app, const std::vector<std::string>& formats) {
  formats_ = {formats.front()};
  app.add_option("PATH", paths_,
                 "a file, a folder (searched recursively), a glob, - (audio on standard input), or @LIST (a file "
                 "with one such path a line)")
      ->required();

  app.add_option("-f,--format", formats_, "what to write; several, separated by commas, need --output")
      ->check(CLI::IsMember(formats))
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text(fmt::format("{}", fmt::join(formats, "|")))
      ->default_str(formats.front())
      ->group("Output");
  app.add_option("-o,--output", output_,
                 "write files below this folder, NAME.FORMAT each; without it, results go to standard output in the "
                 "order of the inputs")
      ->option_text("DIR")
      ->group("Output");
  auto* overwrite = app.add_flag("--overwrite", overwrite_, "replace output files that exist")->group("Output");
  app.add_flag("--skip-existing", skip_existing_, "leave out inputs whose output files all exist")
      ->excludes(overwrite)
      ->group("Output");
  app.add_option("--summary", summary_, "write what was done, how fast and what failed to this file, as JSON")
      ->option_text("FILE")
      ->group("Output");
  app.add_option(
         "--progress", progress_,
         "on standard error: a bar, or one JSON object an event; auto is a bar on a terminal, else a line now and "
         "then")
      ->check(CLI::IsMember({"auto", "bar", "json", "none"}))
      ->option_text("auto|bar|json|none")
      ->default_str("auto")
      ->group("Output");
  app.add_flag("--fail-fast", fail_fast_, "stop at the first recording that fails")->group("Output");

  app.add_option("--channels", channels_, "average the channels, or take each for itself (the sides of a call)")
      ->check(CLI::IsMember({"mix", "split"}))
      ->option_text("mix|split")
      ->default_str("mix")
      ->group("Input");
  app.add_option("--raw-format", raw_format_,
                 "take the input as headerless audio: ENCODING[:RATE[:CHANNELS]], such as s16le:16000:1 or mulaw:8000")
      ->option_text("FORMAT")
      ->group("Input");
  app.add_option("-t,--threads", threads_, "threads that run the network; 0: one a core")
      ->check(CLI::Range(0, 1024))
      ->option_text("N")
      ->default_str("0")
      ->group("Speed");
}

absl::StatusOr<BatchFlags::Prepared> BatchFlags::Prepare(const Adjust& adjust) const {
  if (formats_.size() > 1 && output_.empty()) {
    return InvalidArgument("--format {}: several formats need --output DIR", fmt::join(formats_, ","));
  }
  if (output_.empty() && (overwrite_ || skip_existing_)) {
    return InvalidArgument("{} needs --output DIR", overwrite_ ? "--overwrite" : "--skip-existing");
  }
  if (!raw_format_.empty()) TUTTI_RETURN_IF_ERROR(WithContext(RawFormat::Parse(raw_format_).status(), "--raw-format"));
  Prepared prepared;
  TUTTI_ASSIGN_OR_RETURN(prepared.inputs, ExpandInputs(paths_));
  std::vector<std::string> extensions;  // each once
  for (const std::string& format : formats_) {
    if (std::find(extensions.begin(), extensions.end(), format) == extensions.end()) extensions.push_back(format);
  }
  OutputOptions output{.extensions = std::move(extensions),
                       .directory = output_,
                       .overwrite = overwrite_,
                       .skip_existing = skip_existing_};
  if (adjust) TUTTI_RETURN_IF_ERROR(adjust(prepared.inputs, output));
  TUTTI_ASSIGN_OR_RETURN(prepared.writer, ResultWriter::Create(prepared.inputs, std::move(output)));
  prepared.display = std::make_unique<ProgressDisplay>(progress_mode(), stderr);
  return prepared;
}

ProgressMode BatchFlags::progress_mode() const {
  return *ParseProgressMode(progress_, isatty(STDERR_FILENO) != 0);  // the command line took no other name
}

absl::Status BatchFlags::ReadStandardInput(const Interrupt& interrupt, Prepared& prepared) {
  for (size_t i = 0; i < prepared.inputs.size(); ++i) {
    Input& input = prepared.inputs[i];
    if (input.path != "-" || prepared.writer->is_done(i)) continue;
    auto bytes = tutti::ReadStandardInput(interrupt);
    if (absl::IsCancelled(bytes.status())) return bytes.status();
    input.status = bytes.status();
    if (!bytes.ok()) continue;
    prepared.standard_input = *std::move(bytes);
    input.bytes = static_cast<int64_t>(prepared.standard_input->size());
  }
  return absl::OkStatus();
}

TranscribeOptions BatchFlags::InputOptions() const {
  TranscribeOptions options;
  options.channels = channels_ == "split" ? Channels::kSplit : Channels::kMix;
  options.raw_format = raw_format_;
  return options;
}

AudioInput BatchFlags::ToAudioInput(const Input& input, const std::shared_ptr<const std::string>& standard_input) {
  return input.path == "-" ? AudioInput::Bytes(standard_input, "-") : AudioInput::File(input.path);
}

}  // namespace tutti
