#include "cli/bench_parts.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "base/seconds.h"
#include "checkpoint/model_package.h"
#include "cli/bench_loop.h"
#include "models/fsmn_vad.h"
#include "models/synthetic.h"
#include "nn/matrix_product.h"

namespace tutti {
namespace {

using Clock = std::chrono::steady_clock;

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

BenchResult FromLoop(std::string part, const LoopRate& rate, double audio_seconds_a_round) {
  BenchResult result;
  result.part = std::move(part);
  result.audio_seconds = rate.rounds * audio_seconds_a_round;
  result.wall_seconds = rate.seconds;
  result.x_real_time = rate.rounds_per_second * audio_seconds_a_round;
  return result;
}

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
  const size_t chunk = options.chunk_ms > 0 ? static_cast<size_t>(options.chunk_ms) * 16 : samples.size();
  struct Listener {
    std::unique_ptr<VadStream> stream;
    Workspace workspace;
    std::vector<VadEvent> events;
  };
  std::vector<Listener> listeners(static_cast<size_t>(options.threads));
  for (Listener& listener : listeners) {
    TUTTI_ASSIGN_OR_RETURN(listener.stream, VadStream::Create(vad, vad->default_options()));
  }
  const LoopRate rate = Repeat(options.threads, options.duration, [&](int thread) {
    auto& [stream, workspace, events] = listeners[static_cast<size_t>(thread)];
    events.clear();
    for (std::span<const float> left = samples; !left.empty();) {
      const size_t piece = std::min(chunk, left.size());
      stream->Accept(left.first(piece), piece == left.size(), workspace, events);
      left = left.subspan(piece);
    }
  });
  BenchResult result = FromLoop("vad", rate, options.seconds);
  result.load_seconds = load_seconds;
  return result;
}

absl::StatusOr<BenchResult> BenchEncoder(const BenchOptions& options) {
  const auto start = Clock::now();
  std::shared_ptr<const AsrModel> model;  // keeps `encoder` alive when it is a model's
  std::unique_ptr<const SanmEncoder> synthetic;
  if (options.synthetic) {
    TUTTI_ASSIGN_OR_RETURN(SanmEncoder made,
                           MakeSyntheticEncoder(*options.synthetic, kBenchSeed, options.compute_type));
    synthetic = std::make_unique<const SanmEncoder>(std::move(made));
  } else {
    TUTTI_ASSIGN_OR_RETURN(const ModelPackage package, ModelPackage::Open(options.model));
    TUTTI_ASSIGN_OR_RETURN(model, AsrModel::Load(package, options.compute_type));
    if (model->sanm_encoder() == nullptr)
      return Unimplemented("{}: {} has no SAN-M encoder to measure", options.model, model->family());
  }
  const SanmEncoder& encoder = synthetic ? *synthetic : *model->sanm_encoder();
  const double load_seconds = SecondsSince(start);

  TUTTI_ASSIGN_OR_RETURN(const auto frontend, Frontend::Create(FrontendOptions{}, Cmvn{}));
  std::vector<int64_t> offsets = {0};
  double audio_seconds = 0, operations = 0;
  for (const double seconds : options.lengths.Draw(options.batch_seconds)) {
    const int64_t rows = frontend->Rows(static_cast<int64_t>(seconds * 16000));
    offsets.push_back(offsets.back() + rows);
    audio_seconds += seconds;
    operations += encoder.Operations(rows);
  }
  const int64_t rows = offsets.back();
  const std::vector<float> features = ArtificialFeatures(rows * encoder.options().in);
  const RaggedBatch batch{.data = features.data(), .width = encoder.options().in, .offsets = offsets};
  std::vector<Workspace> workspaces(static_cast<size_t>(options.threads));
  std::vector<std::vector<float>> encoded(static_cast<size_t>(options.threads),
                                          std::vector<float>(static_cast<size_t>(rows * encoder.options().width)));

  // The clock of a CPU wanders: the roof is measured on both sides of the encoder.
  const double roof_before = LinearRoof(encoder.options(), rows, options.threads);
  const LoopRate rate = Repeat(options.threads, options.duration, [&](int thread) {
    const auto i = static_cast<size_t>(thread);
    const Workspace::Scope scope(workspaces[i]);  // a batch is one scope, as in the engine
    encoder.Run(batch, workspaces[i], encoded[i].data());
  });
  const double roof_after = LinearRoof(encoder.options(), rows, options.threads);

  BenchResult result = FromLoop("encoder", rate, audio_seconds);
  result.load_seconds = load_seconds;
  result.compute_type = encoder.options().compute_type;
  result.gops = rate.rounds_per_second * operations / 1e9;
  result.roof_gops = (roof_before + roof_after) / 2 / 1e9;
  return result;
}

}  // namespace tutti
