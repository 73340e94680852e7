#include "cli/transcribe_command.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cli/exit_codes.h"
#include "cli/machine.h"
#include "cli/model_registry.h"
#include "cli/number_check.h"
#include "cli/repair_hint.h"
#include "cli/summary.h"
#include "cli/usage_error.h"
#include "models/vad_state_machine.h"
#include "pipeline/formats.h"
#include "service/search_request.h"
#include "tutti/recognizer.h"

namespace tutti {
namespace {

// What one recording has told of itself while it runs: how often it was begun, and, estimated, the audio that is
// recognised already. Its calls come one at a time.
class Share {
 public:
  explicit Share(std::shared_ptr<std::atomic<int64_t>> total) : total_(std::move(total)) {}

  void Update(const Progress& progress) {
    attempts_ = progress.attempts;
    if (progress.segments_found > 0) Set(progress.audio_ms_decoded * progress.segments_done / progress.segments_found);
  }
  void End() { Set(0); }
  int attempts() const { return attempts_; }

 private:
  void Set(int64_t ms) {
    *total_ += ms - mine_;
    mine_ = ms;
  }

  const std::shared_ptr<std::atomic<int64_t>> total_;
  int64_t mine_ = 0;
  int attempts_ = 1;
};

class TranscribeJob final : public RecordingJob {
 public:
  TranscribeJob(Recognizer& recognizer, TranscribeOptions options, std::vector<Format> formats, bool to_files,
                std::shared_ptr<const std::string> standard_input, size_t inputs)
      : recognizer_(recognizer),
        options_(std::move(options)),
        formats_(std::move(formats)),
        to_files_(to_files),
        standard_input_(std::move(standard_input)),
        started_(inputs) {}

  void Start(size_t index, const Input& input, Done done) override {
    TranscribeOptions options = options_;
    auto share = std::make_shared<Share>(audio_ms_);
    options.progress = [share](const Progress& progress) { share->Update(progress); };
    auto handle = recognizer_.Submit(BatchFlags::ToAudioInput(input, standard_input_), options,
                                     [this, share, done](const absl::StatusOr<Transcript>& result) {
                                       share->End();
                                       done(ToOutcome(result, share->attempts()));
                                     });
    if (!handle.ok()) return done({.status = handle.status(), .texts = {}, .audio_ms = 0});
    started_[index] = *handle;
  }

  void CancelAll() override {
    for (const auto& weak : started_) {
      if (const auto handle = weak.lock()) handle->Cancel();
    }
  }

  int64_t audio_ms_in_progress() const override { return *audio_ms_; }

 private:
  Outcome ToOutcome(const absl::StatusOr<Transcript>& result, int attempts) const {
    if (!result.ok()) return {.status = result.status(), .texts = {}, .audio_ms = 0, .attempts = attempts};
    Outcome outcome{.status = absl::OkStatus(), .texts = {}, .audio_ms = result->duration_ms, .attempts = attempts};
    for (const Format format : formats_) {
      outcome.texts.push_back(Render(*result, format));
      // On standard output line n belongs to recording n, though nothing was said.
      if (!to_files_ && format == Format::kTxt && outcome.texts.back().empty()) outcome.texts.back() = "\n";
    }
    return outcome;
  }

  Recognizer& recognizer_;
  const TranscribeOptions options_;
  const std::vector<Format> formats_;
  const bool to_files_;
  const std::shared_ptr<const std::string> standard_input_;
  const std::shared_ptr<std::atomic<int64_t>> audio_ms_ = std::make_shared<std::atomic<int64_t>>(0);
  std::vector<std::weak_ptr<Transcription>> started_;  // by index
};

std::string FailureText(Format format, std::string_view file, const absl::Status& status) {
  if (format == Format::kJson || format == Format::kJsonl) return RenderError(file, status);
  return format == Format::kTxt ? "\n" : "";
}

}  // namespace

CLI::App* TranscribeCommand::Define(CLI::App& app) {
  CLI::App* command = app.add_subcommand("transcribe", "write down what is said in recordings");
  command->footer(
      "Examples:\n"
      "  tutti transcribe meeting.m4a\n"
      "  tutti transcribe --output texts --format txt,srt recordings/\n"
      "  tutti transcribe --output texts --skip-existing recordings/     (go on where it stopped)\n"
      "  tutti transcribe --output texts --job texts.db recordings/      (the same, and it knows changed recordings)\n"
      "  tutti transcribe --channels split --format jsonl call.wav\n"
      "  tutti transcribe --language de --format srt,vtt --output subtitles talk.mp4\n"
      "  tutti transcribe --model paraformer-large calls/    (after `tutti models pull paraformer-large`)\n"
      "  tutti transcribe --isolation process --processes 4 uploads/    (none of them can end the run)\n"
      "  ffmpeg -i rtsp://camera -t 60 -f wav - | tutti transcribe -\n"
      "\n"
      "Exit code: 0 all done, 1 at least one recording failed (the others are written), 2 wrong usage,\n"
      "130 interrupted (what was finished is written).");
  command
      ->add_option(
          "-m,--model", model_,
          "the recognition model: a directory of FunASR or CTranslate2, a GGUF file or a registered name; the default "
          "models are fetched when they are missing")
      ->option_text("MODEL")
      ->default_str(model_)
      ->group("Models");
  batch_.AddTo(*command, {"txt", "json", "jsonl", "srt", "vtt", "tsv"});
  command->add_option("--vad", vad_, "the voice activity model; none takes each recording as one segment")
      ->option_text("MODEL|none")
      ->default_str(vad_)
      ->group("Models");
  command
      ->add_option("--compute-type", compute_type_, "number type of the network; auto is the fastest that this CPU has")
      ->check(CLI::IsMember({"auto", "f32", "bf16", "int8"}))
      ->option_text("auto|f32|bf16|int8")
      ->default_str("auto")
      ->group("Speed");
  command
      ->add_option("--decode-threads", decode_threads_,
                   "threads that decode, find speech and make features; 0: as many, one per core at most")
      ->check(CLI::Range(0, 1024))
      ->option_text("N")
      ->default_str("0")
      ->group("Speed");
  command->add_flag("--pin", pin_, "keep each thread that runs the network on a CPU of its own")->group("Speed");
  command
      ->add_flag("--latency", latency_,
                 "all threads share one batch at a time: the soonest text of one recording, fewer texts of many")
      ->group("Speed");
  command->add_option("--batch-seconds", batch_seconds_, "audio in one batch, of any recordings; more: more memory")
      ->check(NumberAbove(0))
      ->option_text("S")
      ->default_str("60")
      ->group("Speed");
  command->add_option("--queue-seconds", queue_seconds_, "decoded audio that may wait for the network")
      ->check(NumberAbove(0))
      ->option_text("S")
      ->default_str("600")
      ->group("Speed");
  isolation_.AddTo(*command);
  search_.AddTo(*command);
  vad_flags_.AddTo(*command, "vad-");
  job_flags_.AddTo(*command);
  return command;
}

int TranscribeCommand::Run() const {
  if (const absl::Status status = isolation_.Check(); !status.ok()) return UsageError(status);
  const bool use_vad = vad_ != "none";
  if (!use_vad && vad_flags_.any())
    return UsageError(InvalidArgument("--vad none: the --vad-… options need a VAD model"));
  if (const absl::Status status = FetchDefaultModels({model_, vad_}, batch_.progress_mode()); !status.ok())
    return CannotStart(status);
  // Its thread may not run yet when processes are forked.
  std::optional<Interrupt> interrupt;
  if (!isolation_.by_processes()) interrupt.emplace();
  const auto registry = ModelRegistry::Load(ModelRegistry::SearchFolders());
  if (!registry.ok()) return CannotStart(registry.status());
  const auto model = registry->Find(model_);
  if (!model.ok()) return UsageError(WithContext(model.status(), "--model"));
  const auto vad = use_vad ? registry->Find(vad_) : absl::StatusOr<std::string>("");
  if (!vad.ok()) return UsageError(WithContext(vad.status(), "--vad"));
  std::unique_ptr<BatchJob> batch_job;  // stays null without --job
  auto prepared = batch_.Prepare([&](std::span<const Input> inputs, OutputOptions& output) -> absl::Status {
    if (!job_flags_.given()) return absl::OkStatus();
    TUTTI_ASSIGN_OR_RETURN(batch_job, job_flags_.Open({{"--model", *model}, {"--vad", *vad}}, inputs, output));
    return absl::OkStatus();
  });
  if (!prepared.ok()) return UsageError(prepared.status());
  std::vector<Format> formats;
  for (const std::string& name : prepared->writer->extensions()) formats.push_back(*ParseFormat(name));

  const auto started = std::chrono::steady_clock::now();
  const auto made = isolation_.Create({.model = *model,
                                       .vad = *vad,
                                       .compute_type = *ParseComputeType(compute_type_),
                                       .threads = batch_.threads(),
                                       .decode_threads = decode_threads_,
                                       .pin_threads = pin_,
                                       .latency = latency_,
                                       .batch_seconds = batch_seconds_,
                                       .queue_seconds = queue_seconds_});
  if (!made.ok()) return CannotStart(WithRepairHint(made.status(), {*model, *vad}));
  Recognizer& recognizer = *made->recognizer;
  if (!interrupt) interrupt.emplace();
  const std::chrono::duration<double> load_time = std::chrono::steady_clock::now() - started;

  TranscribeOptions options = batch_.InputOptions();
  options.search = search_.options();
  if (const absl::Status status = CheckSearchOptions(options.search, AbilitiesOf(recognizer)); !status.ok()) {
    return UsageError(status);  // else each recording would fail with it
  }
  for (const Format format : formats) AskForTimes(format, recognizer.takes_search_options(), options.search);
  if (vad_flags_.any()) {
    options.vad_options = vad_flags_.Apply(recognizer.default_vad_options());
    if (const absl::Status status = Validate(*options.vad_options); !status.ok()) return UsageError(status);
    // What fits no recording of this model.
    const absl::Status status = recognizer.OpenStream(*options.vad_options).status();
    if (absl::IsInvalidArgument(status)) return UsageError(status);
  }
  if (const absl::Status status = BatchFlags::ReadStandardInput(*interrupt, *prepared); !status.ok()) {
    prepared->display->Say(Message(status));
    return kExitInterrupted;
  }
  const std::string compute_type(Name(recognizer.compute_type()));
  if (batch_job != nullptr) {
    if (const absl::Status status = batch_job->Begin({{"compute type in use", compute_type}}); !status.ok())
      return UsageError(status);
  }
  const Format first = formats.front();
  const BatchOptions batch{
      .fail_fast = batch_.fail_fast(),
      .failure_text = [first](std::string_view file,
                              const absl::Status& status) { return FailureText(first, file, status); },
      .job = batch_job.get()};
  TranscribeJob job(recognizer, std::move(options), std::move(formats), batch_.to_files(), prepared->standard_input,
                    prepared->inputs.size());
  const BatchResult result = RunBatch(prepared->inputs, job, *prepared->writer, *prepared->display, *interrupt, batch);
  if (const std::string report = IsolationFlags::Report(*made); !report.empty()) prepared->display->Say(report);
  return Conclude({.command = "transcribe",
                   .model = *model,
                   .vad = *vad,
                   .compute_type = compute_type,
                   .threads = recognizer.threads(),
                   .peak_memory_bytes = PeakMemoryBytes(),
                   .load_seconds = load_time.count(),
                   .job = job_flags_.journal(),
                   .job_counts = batch_job != nullptr ? batch_job->counts().value_or(BatchJournal::Counts{})
                                                      : BatchJournal::Counts{},
                   .pool = made->pool != nullptr ? std::optional(made->pool->pool_stats()) : std::nullopt},
                  result, batch_.summary(), *prepared->display);
}

}  // namespace tutti
