#include "cli/bench_parts.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "checkpoint/model_package.h"
#include "cli/bench_loop.h"
#include "cli/machine.h"
#include "engine/recognizer_impl.h"
#include "models/fsmn_vad.h"
#include "models/synthetic.h"
#include "nn/matrix_product.h"
#include "nn/ops.h"
#include "tutti/recognizer.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kSeed = 1;

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

int64_t SegmentsInBatch(const BenchOptions& options) {
  return std::max<int64_t>(1, static_cast<int64_t>(options.batch_seconds / options.seconds));
}

BenchResult FromLoop(std::string part, const LoopRate& rate, double audio_seconds_a_round) {
  return {.part = std::move(part),
          .model = "",
          .audio_seconds = rate.rounds * audio_seconds_a_round,
          .wall_seconds = rate.seconds,
          .x_real_time = rate.rounds_per_second * audio_seconds_a_round,
          .gops = {},
          .roof_gops = {}};
}

absl::StatusOr<std::shared_ptr<const AsrModel>> LoadAsr(const BenchOptions& options) {
  if (options.synthetic) {
    TUTTI_ASSIGN_OR_RETURN(std::shared_ptr<const AsrModel> model,
                           MakeSyntheticParaformer(ParaformerDims{}, kSeed, options.compute_type));
    return model;
  }
  TUTTI_ASSIGN_OR_RETURN(const ModelPackage package, ModelPackage::Open(options.model));
  return AsrModel::Load(package, options.compute_type);
}

// The rate that oneDNN reaches on the encoder's linear layers, all threads at once, each shape by its share of the
// work.
double LinearRoof(const SanmEncoderOptions& encoder, int64_t rows, int threads) {
  struct Shape {
    int64_t in, out;
  };
  constexpr double kSecondsAShape = 0.3;
  const int64_t width = encoder.width;
  double work = 0, time = 0;
  for (const auto& [in, out] :
       {Shape{width, 3 * width}, Shape{width, width}, Shape{width, encoder.hidden}, Shape{encoder.hidden, width}}) {
    const double operations = 2.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out);
    work += operations;
    time += operations / SumOverThreads(threads, [&, in = in, out = out](int) {
              return MeasureProductRoof(encoder.compute_type, rows, in, out, kSecondsAShape);
            });
  }
  return work / time;
}

// Feature rows as they are after normalisation: mean 0, deviation about 1.
std::vector<float> ArtificialFeatures(int64_t count) {
  std::vector<float> features(static_cast<size_t>(count));
  uint32_t state = 1;
  for (float& feature : features) {
    state = state * 1664525U + 1013904223U;
    feature = (static_cast<float>(state >> 8) / 16777216.0F - 0.5F) * 3.4F;
  }
  return features;
}

}  // namespace

absl::StatusOr<BenchResult> BenchFrontend(const BenchOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(const ModelPackage package, ModelPackage::Open(options.model));
  TUTTI_ASSIGN_OR_RETURN(const auto frontend, Frontend::FromPackage(package));
  const std::vector<float> samples = ArtificialSpeech(options.seconds);
  std::vector<std::vector<float>> rows(static_cast<size_t>(options.threads));
  const LoopRate rate = Repeat(options.threads, options.duration, [&](int thread) {
    rows[static_cast<size_t>(thread)].clear();
    frontend->Compute(samples, rows[static_cast<size_t>(thread)]);
  });
  return FromLoop("frontend", rate, options.seconds);
}

absl::StatusOr<BenchResult> BenchVad(const BenchOptions& options) {
  const auto start = Clock::now();
  TUTTI_ASSIGN_OR_RETURN(const ModelPackage package, ModelPackage::Open(options.model));
  TUTTI_ASSIGN_OR_RETURN(const auto vad, FsmnVad::Load(package));
  const double load_seconds = SecondsSince(start);
  const std::vector<float> samples = ArtificialSpeech(options.seconds);
  TUTTI_RETURN_IF_ERROR(Validate(vad->default_options()));
  std::vector<Workspace> workspaces(static_cast<size_t>(options.threads));
  const LoopRate rate = Repeat(options.threads, options.duration, [&](int thread) {
    static_cast<void>(DetectSpeech(vad, samples, vad->default_options(), workspaces[static_cast<size_t>(thread)]));
  });
  BenchResult result = FromLoop("vad", rate, options.seconds);
  result.load_seconds = load_seconds;
  return result;
}

absl::StatusOr<BenchResult> BenchEncoder(const BenchOptions& options) {
  const auto start = Clock::now();
  std::shared_ptr<const Paraformer> model;  // keeps `encoder` alive when it is a model's
  std::unique_ptr<const SanmEncoder> synthetic;
  if (options.synthetic) {
    TUTTI_ASSIGN_OR_RETURN(SanmEncoder made, MakeSyntheticEncoder({.compute_type = options.compute_type}, kSeed));
    synthetic = std::make_unique<const SanmEncoder>(std::move(made));
  } else {
    TUTTI_ASSIGN_OR_RETURN(const ModelPackage package, ModelPackage::Open(options.model));
    TUTTI_ASSIGN_OR_RETURN(model, Paraformer::Load(package, options.compute_type));
  }
  const SanmEncoder& encoder = synthetic ? *synthetic : model->encoder();
  const double load_seconds = SecondsSince(start);

  TUTTI_ASSIGN_OR_RETURN(const auto frontend, Frontend::Create(FrontendOptions{}, Cmvn{}));
  const int64_t segments = SegmentsInBatch(options);
  const int64_t rows = frontend->Rows(static_cast<int64_t>(options.seconds * 16000));
  std::vector<int64_t> offsets;
  for (int64_t i = 0; i <= segments; ++i) offsets.push_back(i * rows);
  const std::vector<float> features = ArtificialFeatures(segments * rows * encoder.options().in);
  const RaggedBatch batch{.data = features.data(), .width = encoder.options().in, .offsets = offsets};
  std::vector<Workspace> workspaces(static_cast<size_t>(options.threads));
  std::vector<std::vector<float>> encoded(
      static_cast<size_t>(options.threads),
      std::vector<float>(static_cast<size_t>(segments * rows * encoder.options().width)));

  // The clock of a CPU wanders: the roof is measured on both sides of the encoder.
  const double roof_before = LinearRoof(encoder.options(), segments * rows, options.threads);
  const LoopRate rate = Repeat(options.threads, options.duration, [&](int thread) {
    const auto i = static_cast<size_t>(thread);
    encoder.Run(batch, workspaces[i], encoded[i].data());
  });
  const double roof_after = LinearRoof(encoder.options(), segments * rows, options.threads);

  BenchResult result = FromLoop("encoder", rate, options.seconds * static_cast<double>(segments));
  result.load_seconds = load_seconds;
  result.compute_type = options.compute_type;
  result.gops = rate.rounds_per_second * encoder.Operations(rows) * static_cast<double>(segments) / 1e9;
  result.roof_gops = (roof_before + roof_after) / 2 / 1e9;
  return result;
}

absl::StatusOr<BenchResult> BenchAsr(const BenchOptions& options) {
  const auto start = Clock::now();
  TUTTI_ASSIGN_OR_RETURN(auto asr, LoadAsr(options));
  TUTTI_ASSIGN_OR_RETURN(
      const auto recognizer,
      CreateRecognizer({.model = "", .vad = "", .threads = options.threads, .batch_seconds = options.batch_seconds},
                       {.asr = std::move(asr), .vad = nullptr, .model_name = "bench"}));
  const double load_seconds = SecondsSince(start);

  const std::vector<float> samples = ArtificialSpeech(options.seconds);
  const int64_t recordings = 2 * SegmentsInBatch(options) * options.threads;
  absl::Status failed;
  const auto transcribe_all = [&] {
    std::vector<std::shared_ptr<Transcription>> running;
    for (int64_t i = 0; i < recordings; ++i) {
      auto handle = recognizer->Submit(AudioInput::Samples(samples, 16000, 1, "bench"));
      if (!handle.ok()) {
        failed = handle.status();
        break;
      }
      running.push_back(*std::move(handle));
    }
    for (const auto& handle : running) {
      if (!handle->Wait().ok()) failed = handle->Wait().status();
    }
  };
  const LoopRate rate = Repeat(1, options.duration, [&](int) { transcribe_all(); });
  if (!failed.ok()) return failed;
  BenchResult result = FromLoop("asr", rate, options.seconds * static_cast<double>(recordings));
  result.load_seconds = load_seconds;
  result.compute_type = options.compute_type;
  return result;
}

std::string RenderBench(const BenchResult& result, const BenchOptions& options, bool json) {
  const auto rounded = [](std::optional<double> value) {
    return value ? Json(std::round(*value * 1000) / 1000) : Json(nullptr);
  };
  const std::optional<double> share =
      result.gops && result.roof_gops ? std::optional(*result.gops / *result.roof_gops) : std::nullopt;
  const int64_t peak = PeakMemoryBytes();
  if (json) {
    const Json out = {{"bench", result.part},
                      {"model", result.model},
                      {"cpu", CpuModel()},
                      {"linear_isa", DetectProductIsa().name},
                      {"vector_isa", VectorIsa()},
                      {"compute_type", Name(result.compute_type)},
                      {"threads", options.threads},
                      {"seconds", options.seconds},
                      {"batch_seconds", options.batch_seconds},
                      {"load_seconds", rounded(result.load_seconds)},
                      {"audio_seconds", rounded(result.audio_seconds)},
                      {"wall_seconds", rounded(result.wall_seconds)},
                      {"x_real_time", rounded(result.x_real_time)},
                      {"gops", rounded(result.gops)},
                      {"roof_gops", rounded(result.roof_gops)},
                      {"share_of_roof", rounded(share)},
                      {"peak_memory_bytes", peak}};
    return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  std::string out;
  const auto line = [&out](std::string_view name, const std::string& value) {
    fmt::format_to(std::back_inserter(out), "{:<14}{}\n", name, value);
  };
  line("bench", fmt::format("{} of {}", result.part, result.model));
  line("machine", fmt::format("{}; oneDNN {}, vector code {}", CpuModel(), DetectProductIsa().name, VectorIsa()));
  line("in use", fmt::format("{} threads, {}, segments of {} s in batches of {} s", options.threads,
                             Name(result.compute_type), options.seconds, options.batch_seconds));
  line("loaded in", fmt::format("{:.2f} s", result.load_seconds));
  line("measured", fmt::format("{:.0f} s of audio in {:.2f} s", result.audio_seconds, result.wall_seconds));
  line("speed", fmt::format("{:.1f} x real time", result.x_real_time));
  if (result.gops) line("rate", fmt::format("{:.1f} GOP/s", *result.gops));
  if (share) line("roof", fmt::format("{:.1f} GOP/s, of which {:.2f} are reached", *result.roof_gops, *share));
  line("peak memory", fmt::format("{} MiB", peak >> 20));
  return out;
}

}  // namespace tutti
