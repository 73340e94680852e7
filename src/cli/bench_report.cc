#include "cli/bench_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "cli/machine.h"
#include "nn/matrix_product.h"
#include "nn/ops.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

std::vector<double> Sorted(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values;
}

// The smallest value that `share` of all do not exceed.
double Percentile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

Json StageShares(const StageSeconds& stages) {
  const double sum = std::max(stages.decode + stages.vad + stages.features + stages.recognise, 1e-12);
  return {{"decode", stages.decode / sum},
          {"vad", stages.vad / sum},
          {"features", stages.features / sum},
          {"recognise", stages.recognise / sum}};
}

}  // namespace

std::string RenderBench(const BenchResult& result, const BenchOptions& options, bool json) {
  const auto rounded = [](std::optional<double> value) {
    return value ? Json(std::round(*value * 1000) / 1000) : Json(nullptr);
  };
  const std::optional<double> share =
      result.gops && result.roof_gops ? std::optional(*result.gops / *result.roof_gops) : std::nullopt;
  const int64_t peak = PeakMemoryBytes();
  const std::vector<double> sorted = Sorted(result.latencies);
  if (json) {
    const Json latency = sorted.empty() ? Json(nullptr)
                                        : Json{{"recordings", sorted.size()},
                                               {"p50", Percentile(sorted, 0.5)},
                                               {"p95", Percentile(sorted, 0.95)},
                                               {"p99", Percentile(sorted, 0.99)}};
    const Json out = {{"bench", result.part},
                      {"model", result.model},
                      {"cpu", CpuModel()},
                      {"linear_isa", DetectProductIsa().name},
                      {"vector_isa", VectorIsa()},
                      {"compute_type", Name(result.compute_type)},
                      {"threads", options.threads},
                      {"lengths", options.lengths_text},
                      {"batch_seconds", options.batch_seconds},
                      {"pin", options.pin},
                      {"latency_mode", options.latency},
                      {"load_seconds", rounded(result.load_seconds)},
                      {"audio_seconds", rounded(result.audio_seconds)},
                      {"wall_seconds", rounded(result.wall_seconds)},
                      {"x_real_time", rounded(result.x_real_time)},
                      {"rtf", result.x_real_time > 0 ? Json(1 / result.x_real_time) : Json(nullptr)},
                      {"speech_seconds", rounded(result.speech_seconds)},
                      {"stage_share", result.stages ? StageShares(*result.stages) : Json(nullptr)},
                      {"latency_seconds", latency},
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
  line("in use", fmt::format("{} threads{}{}, {}, lengths {}, batches of {} s", options.threads,
                             options.pin ? " pinned to CPUs" : "", options.latency ? " in latency mode" : "",
                             Name(result.compute_type), options.lengths_text, options.batch_seconds));
  line("loaded in", fmt::format("{:.2f} s", result.load_seconds));
  line("measured", fmt::format("{:.0f} s of audio in {:.2f} s", result.audio_seconds, result.wall_seconds));
  line("speed", fmt::format("{:.1f} x real time, RTF {:.5f}", result.x_real_time, 1 / result.x_real_time));
  if (result.speech_seconds) {
    line("speech", fmt::format("{:.0f} % of the audio", 100 * *result.speech_seconds / result.audio_seconds));
  }
  if (result.stages) {
    const Json stages = StageShares(*result.stages);
    std::string shares;
    for (const auto& [stage, part] : stages.items()) {
      fmt::format_to(std::back_inserter(shares), "{}{} {:.1f} %", shares.empty() ? "" : ", ", stage,
                     100 * part.get<double>());
    }
    line("CPU time", shares);
  }
  if (!sorted.empty()) {
    line("latency", fmt::format("p50 {:.3f} s, p95 {:.3f} s, p99 {:.3f} s of {} recordings", Percentile(sorted, 0.5),
                                Percentile(sorted, 0.95), Percentile(sorted, 0.99), sorted.size()));
  }
  if (result.gops) line("rate", fmt::format("{:.1f} GOP/s", *result.gops));
  if (share) line("roof", fmt::format("{:.1f} GOP/s, of which {:.2f} are reached", *result.roof_gops, *share));
  line("peak memory", fmt::format("{} MiB", peak >> 20));
  return out;
}

}  // namespace tutti
