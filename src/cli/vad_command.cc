#include "cli/vad_command.h"

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/seconds.h"
#include "cli/exit_codes.h"
#include "cli/machine.h"
#include "cli/model_registry.h"
#include "cli/number_check.h"
#include "cli/repair_hint.h"
#include "cli/speech_text.h"
#include "cli/summary.h"
#include "cli/usage_error.h"
#include "pipeline/formats.h"
#include "pipeline/merge_vad.h"
#include "tutti/recognizer.h"

namespace tutti {
namespace {

struct VadJobOptions {
  TranscribeOptions detect;
  int64_t merge_ms = 0;  // 0: segments stay as they are
  std::vector<std::string> formats;
  std::shared_ptr<const std::string> standard_input;
};

// Recordings wait in one line for threads that each take a whole one.
class VadJob final : public RecordingJob {
 public:
  VadJob(Recognizer& recognizer, VadJobOptions options, int threads)
      : recognizer_(recognizer), options_(std::move(options)) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this] { Work(); });
    }
  }

  ~VadJob() override {
    {
      MutexLock lock(mu_);
      closed_ = true;
      changed_.NotifyAll();
    }
    for (std::thread& thread : threads_) thread.join();
  }

  void Start(size_t /*index*/, const Input& input, Done done) override {
    MutexLock lock(mu_);
    waiting_.push_back({&input, std::move(done)});
    changed_.NotifyOne();
  }

  void CancelAll() override {
    std::deque<Item> stopped;
    {
      MutexLock lock(mu_);
      stopped = std::exchange(waiting_, {});
    }
    for (const Item& item : stopped) {
      item.done({.status = absl::CancelledError("stopped"), .texts = {}, .audio_ms = 0});
    }
  }

  int64_t audio_ms_in_progress() const override { return audio_ms_; }

 private:
  struct Item {
    const Input* input;
    Done done;
  };

  void Work() {
    while (true) {
      Item item;
      {
        MutexLock lock(mu_);
        while (waiting_.empty() && !closed_) changed_.Wait(mu_);
        if (waiting_.empty()) return;
        item = std::move(waiting_.front());
        waiting_.pop_front();
      }
      item.done(Detect(*item.input));
    }
  }

  Outcome Detect(const Input& input) {
    int64_t mine = 0;
    TranscribeOptions detect = options_.detect;
    detect.progress = [this, &mine](const Progress& progress) {
      audio_ms_ += progress.audio_ms_decoded - mine;
      mine = progress.audio_ms_decoded;
    };
    auto speech = recognizer_.DetectSpeech(BatchFlags::ToAudioInput(input, options_.standard_input), detect);
    audio_ms_ -= mine;
    if (!speech.ok()) return {.status = speech.status(), .texts = {}, .audio_ms = 0};
    if (options_.merge_ms > 0) {
      for (auto& segments : speech->channels) segments = MergeVad(segments, options_.merge_ms);
    }
    Outcome outcome{.status = absl::OkStatus(), .texts = {}, .audio_ms = speech->duration_ms};
    for (const std::string& format : options_.formats) {
      outcome.texts.push_back(RenderSpeech(input.path, *speech, format));
    }
    return outcome;
  }

  Recognizer& recognizer_;
  const VadJobOptions options_;
  std::atomic<int64_t> audio_ms_ = 0;
  std::vector<std::thread> threads_;

  Mutex mu_;
  CondVar changed_;
  std::deque<Item> waiting_ TUTTI_GUARDED_BY(mu_);
  bool closed_ TUTTI_GUARDED_BY(mu_) = false;
};

}  // namespace

CLI::App* VadCommand::Define(CLI::App& app) {
  CLI::App* command = app.add_subcommand("vad", "find where speech is in recordings");
  command->footer(
      "Examples:\n"
      "  tutti vad call.wav\n"
      "  tutti vad --max-end-silence-time 500 --format tsv call.wav\n"
      "  tutti vad --output speech --format json recordings/\n"
      "\n"
      "The pause that ends a segment is the same all the time, unless --dynamic-silence is given.");
  command->add_option("-m,--model", model_, "the voice activity model: a FunASR model directory or a registered name")
      ->option_text("MODEL")
      ->default_str(model_)
      ->group("Models");
  batch_.AddTo(*command, {"jsonl", "json", "tsv"});
  isolation_.AddTo(*command);
  vad_flags_.AddTo(*command, "");
  command->add_flag("--merge-vad", merge_, "join segments, and the silence between them, as FunASR's merge_vad")
      ->group("Voice activity");
  command->add_option("--merge-length-s", merge_length_s_, "length up to which --merge-vad joins")
      ->check(NumberBetween(0.001, 1e6))
      ->option_text("S")
      ->default_str("15")
      ->group("Voice activity");
  return command;
}

int VadCommand::Run() const {
  if (const absl::Status status = isolation_.Check(); !status.ok()) return UsageError(status);
  if (const absl::Status status = FetchDefaultModels({model_}, batch_.progress_mode()); !status.ok())
    return CannotStart(status);
  // Its thread may not run yet when processes are forked.
  std::optional<Interrupt> interrupt;
  if (!isolation_.by_processes()) interrupt.emplace();
  const auto registry = ModelRegistry::Load(ModelRegistry::SearchFolders());
  if (!registry.ok()) return CannotStart(registry.status());
  const auto model = registry->Find(model_);
  if (!model.ok()) return UsageError(WithContext(model.status(), "--model"));
  auto prepared = batch_.Prepare();
  if (!prepared.ok()) return UsageError(prepared.status());

  const auto started = std::chrono::steady_clock::now();
  const bool by_processes = isolation_.by_processes();
  // Threads of this process do the work themselves; those of processes are as many as recordings at a time.
  const auto made = isolation_.Create(
      {.model = "", .vad = *model, .threads = by_processes ? batch_.threads() : 1, .decode_threads = 1});
  if (!made.ok()) return CannotStart(WithRepairHint(made.status(), {*model}));
  Recognizer& recognizer = *made->recognizer;
  if (!interrupt) interrupt.emplace();
  const int threads = by_processes ? recognizer.threads() : batch_.threads() > 0 ? batch_.threads() : AvailableCores();
  const double load_seconds = SecondsSince(started);

  VadJobOptions options{.detect = batch_.InputOptions(),
                        .merge_ms = merge_ ? static_cast<int64_t>(merge_length_s_ * 1000) : 0,
                        .formats = prepared->writer->extensions(),
                        .standard_input = nullptr};
  options.detect.vad_options = vad_flags_.Apply(recognizer.default_vad_options());
  // A stream is opened for its check of the options against the model, where the model is in this process.
  const absl::Status fits = isolation_.by_processes() ? Validate(*options.detect.vad_options)
                                                      : recognizer.OpenStream(*options.detect.vad_options).status();
  if (!fits.ok()) return UsageError(fits);
  if (const absl::Status status = BatchFlags::ReadStandardInput(*interrupt, *prepared); !status.ok()) {
    prepared->display->Say(Message(status));
    return kExitInterrupted;
  }
  options.standard_input = prepared->standard_input;
  const bool json = options.formats.front() != "tsv";
  const BatchOptions batch{.fail_fast = batch_.fail_fast(),
                           .failure_text = [json](std::string_view file, const absl::Status& status) {
                             return json ? RenderError(file, status) : "";
                           }};
  VadJob job(recognizer, std::move(options), threads);
  const BatchResult result = RunBatch(prepared->inputs, job, *prepared->writer, *prepared->display, *interrupt, batch);
  if (const std::string report = IsolationFlags::Report(*made); !report.empty()) prepared->display->Say(report);
  return Conclude({.command = "vad",
                   .model = *model,
                   .vad = *model,
                   .compute_type = "f32",
                   .threads = threads,
                   .peak_memory_bytes = PeakMemoryBytes(),
                   .load_seconds = load_seconds,
                   .pool = made->pool != nullptr ? std::optional(made->pool->pool_stats()) : std::nullopt},
                  result, batch_.summary(), *prepared->display);
}

}  // namespace tutti
