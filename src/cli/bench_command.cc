#include "cli/bench_command.h"

#include <cstdio>
#include <string_view>

#include "base/print.h"
#include "cli/bench_report.h"
#include "cli/exit_codes.h"
#include "cli/model_registry.h"
#include "cli/number_check.h"
#include "cli/usage_error.h"

namespace tutti {
namespace {

constexpr const char* kLarge = "paraformer-large";
constexpr const char* kSmall = "paraformer-small";
constexpr const char* kSenseVoice = "sensevoice-small";

// Random weights of the size that --synthetic names. Paraformer-small is the size of FunASR's AISHELL-1 recipe.
SyntheticDims SizeOf(std::string_view name) {
  if (name == kSenseVoice) return SenseVoiceDims();
  if (name == kLarge) return ParaformerDims();
  return ParaformerDims{
      .width = 256, .heads = 4, .hidden = 2048, .encoder_blocks = 12, .decoder_layers = 6, .vocabulary = 8358};
}

}  // namespace

CLI::App* BenchCommand::Define(CLI::App& app) {
  CLI::App* command = app.add_subcommand("bench", "measure how fast each part is on this machine");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  tutti bench vad --threads 1\n"
      "  tutti bench encoder --synthetic paraformer-large --seconds 10 --threads 1 --compute-type f32 --json\n"
      "  tutti bench pipeline --synthetic paraformer-large --lengths meeting --threads 2\n"
      "\n"
      "docs/performance.md explains the figures.");
  const auto add = [&](const char* name, const char* description, const char* default_model, auto* run) {
    CLI::App* part = command->add_subcommand(name, description);
    parts_.push_back({part, run, default_model});
    part->add_option("-m,--model", options_.model, "a FunASR model directory or a registered name")
        ->option_text("MODEL")
        ->default_str(default_model)
        ->group("What");
    part->add_option("--seconds", options_.seconds, "audio in a segment")
        ->check(NumberBetween(0.1, 3600))
        ->option_text("S")
        ->default_str("10")
        ->group("What");
    part->add_option("--batch-seconds", options_.batch_seconds, "audio in a batch of segments")
        ->check(NumberBetween(0.1, 36000))
        ->option_text("S")
        ->default_str("60")
        ->group("What");
    part->add_option("-t,--threads", options_.threads, "threads that work at the same time")
        ->check(CLI::Range(1, 1024))
        ->option_text("N")
        ->default_str("1")
        ->group("How");
    part->add_option("--duration", options_.duration, "measure for so many seconds; one round at least")
        ->check(NumberBetween(0, 3600))
        ->option_text("S")
        ->default_str("3")
        ->group("How");
    part->add_option("--compute-type", compute_type_, "number type of the network")
        ->check(CLI::IsMember({"auto", "f32", "bf16", "int8"}))
        ->option_text("auto|f32|bf16|int8")
        ->default_str("auto")
        ->group("How");
    part->add_flag("--json", json_, "print one JSON object")->group("How");
    return part;
  };
  const auto add_network = [&](CLI::App* part) {
    part->add_option("--synthetic", synthetic_, "random weights of this model's size in place of --model")
        ->check(CLI::IsMember({kLarge, kSmall, kSenseVoice}))
        ->option_text(fmt::format("{}|{}|{}", kLarge, kSmall, kSenseVoice))
        ->group("What");
    part->add_option("--lengths", lengths_, "of segments or recordings, in place of --seconds")
        ->excludes("--seconds")
        ->option_text("fixed:S|uniform:A:B|aishell|meeting")
        ->group("What");
    return part;
  };
  const auto add_engine = [&](CLI::App* part) {
    part->add_option("--audio-seconds", options_.audio_seconds, "audio in a round (default two batches a thread)")
        ->check(NumberBetween(0.1, 360000))
        ->option_text("S")
        ->group("What");
    part->add_option("--in-flight", options_.in_flight, "recordings at the same time; 0: all")
        ->check(CLI::Range(0, 1'000'000))
        ->option_text("N")
        ->default_str("0")
        ->group("How");
    part->add_flag("--pin", options_.pin, "keep each worker on a CPU of its own")->group("How");
    part->add_flag("--latency", options_.latency, "all threads share one batch at a time")->group("How");
    return part;
  };
  add("frontend", "filter bank, stacking and normalisation", "demo-paraformer", &BenchFrontend);
  add("vad", "voice activity: features, network and decisions", "fsmn-vad", &BenchVad)
      ->add_option("--chunk-ms", options_.chunk_ms, "audio that comes at a time, as from a live stream; 0: all at once")
      ->check(CLI::Range(0, 60'000))
      ->option_text("MS")
      ->default_str("0")
      ->group("What");
  add_network(
      add("encoder", "the recogniser's encoder, held against oneDNN's own rate", "demo-paraformer", &BenchEncoder));
  add_engine(
      add_network(add("asr", "recognition through the engine: features, network, text", "demo-paraformer", &BenchAsr)));
  CLI::App* pipeline =
      add_engine(add_network(add("pipeline", "WAV files in memory to text: decoding, voice activity, recognition",
                                 "demo-paraformer", &BenchPipeline)));
  pipeline->add_option("--vad", vad_, "the voice activity model; none takes each recording as one segment")
      ->option_text("MODEL|none")
      ->default_str("fsmn-vad")
      ->group("What");
  return command;
}

int BenchCommand::Run() const {
  for (const Part& part : parts_) {
    if (!part.command->parsed()) continue;
    BenchOptions options = options_;
    options.compute_type = *ParseComputeType(compute_type_);
    options.lengths_text = lengths_.empty() ? fmt::format("fixed:{}", options.seconds) : lengths_;
    const auto lengths = LengthMix::Parse(options.lengths_text);
    if (!lengths.ok()) return UsageError(WithContext(lengths.status(), "--lengths"));
    options.lengths = *lengths;
    const auto registry = ModelRegistry::Load(ModelRegistry::SearchFolders());
    if (!registry.ok()) return CannotStart(registry.status());
    if (part.run == &BenchPipeline && vad_ != "none") {
      const auto directory = registry->Find(vad_);
      if (!directory.ok()) return UsageError(WithContext(directory.status(), "--vad"));
      options.vad = *directory;
    }
    std::string model = fmt::format("{} size, random weights", synthetic_);
    if (!synthetic_.empty()) {
      options.synthetic = SizeOf(synthetic_);
    } else {
      const auto directory = registry->Find(options.model.empty() ? part.default_model : options.model);
      if (!directory.ok()) return UsageError(WithContext(directory.status(), "--model"));
      model = options.model = *directory;
    }
    auto result = part.run(options);
    if (!result.ok()) return CannotStart(result.status());
    result->model = model;
    PrintText(stdout, "{}", RenderBench(*result, options, json_));
    return kExitOk;
  }
  return kExitUsage;
}

}  // namespace tutti
