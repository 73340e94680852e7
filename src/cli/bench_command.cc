#include "cli/bench_command.h"

#include <cstdio>

#include "cli/exit_codes.h"
#include "cli/model_registry.h"
#include "cli/usage_error.h"

namespace tutti {
namespace {

constexpr const char* kSynthetic = "paraformer-large";

}  // namespace

CLI::App* BenchCommand::Define(CLI::App& app) {
  CLI::App* command = app.add_subcommand("bench", "measure how fast each part is on this machine");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  tutti bench vad --threads 1\n"
      "  tutti bench encoder --synthetic paraformer-large --seconds 10 --threads 1 --compute-type f32 --json\n"
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
        ->check(CLI::Range(0.1, 3600.0))
        ->option_text("S")
        ->default_str("10")
        ->group("What");
    part->add_option("--batch-seconds", options_.batch_seconds, "audio in a batch of segments")
        ->check(CLI::Range(0.1, 36000.0))
        ->option_text("S")
        ->default_str("60")
        ->group("What");
    part->add_option("-t,--threads", options_.threads, "threads that work at the same time")
        ->check(CLI::Range(1, 1024))
        ->option_text("N")
        ->default_str("1")
        ->group("How");
    part->add_option("--duration", options_.duration, "measure for so many seconds; one round at least")
        ->check(CLI::Range(0.0, 3600.0))
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
  const auto add_synthetic = [&](CLI::App* part) {
    part->add_option_function<std::string>(
            "--synthetic", [this](const std::string&) { options_.synthetic = true; },
            "random weights of this model's size in place of --model")
        ->check(CLI::IsMember({kSynthetic}))
        ->option_text(kSynthetic)
        ->group("What");
  };
  add("frontend", "filter bank, stacking and normalisation", "demo-paraformer", &BenchFrontend);
  add("vad", "voice activity: features, network and decisions", "fsmn-vad", &BenchVad);
  add_synthetic(
      add("encoder", "the recogniser's encoder, held against oneDNN's own rate", "demo-paraformer", &BenchEncoder));
  add_synthetic(add("asr", "recognition through the engine: features, network, text", "demo-paraformer", &BenchAsr));
  return command;
}

int BenchCommand::Run() const {
  for (const Part& part : parts_) {
    if (!part.command->parsed()) continue;
    BenchOptions options = options_;
    options.compute_type = ResolveComputeType(*ParseComputeType(compute_type_));
    std::string model = fmt::format("{} size, random weights", kSynthetic);
    if (!options.synthetic) {
      const auto registry = ModelRegistry::Load(ModelRegistry::SearchFolders());
      if (!registry.ok()) return CannotStart(registry.status());
      const auto directory = registry->Find(options.model.empty() ? part.default_model : options.model);
      if (!directory.ok()) return UsageError(WithContext(directory.status(), "--model"));
      model = options.model = *directory;
    }
    auto result = part.run(options);
    if (!result.ok()) return CannotStart(result.status());
    result->model = model;
    fmt::print("{}", RenderBench(*result, options, json_));
    return kExitOk;
  }
  return kExitUsage;
}

}  // namespace tutti
