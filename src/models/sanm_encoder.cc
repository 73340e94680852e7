#include "models/sanm_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

namespace tutti {
namespace {

// The encoders there are, by FunASR's class.
struct Graph {
  std::string_view name;
  float norm_eps;
  const char* default_input_layer;
  bool has_tp_blocks;
};
constexpr std::array kGraphs = {Graph{"SANMEncoder", 1e-12F, "conv2d", false},
                                Graph{"SenseVoiceEncoderSmall", 1e-5F, "pe", true}};

absl::StatusOr<Graph> FindGraph(const Config& config) {
  TUTTI_ASSIGN_OR_RETURN(const std::string found, config.GetString("encoder", ""));
  for (const Graph& graph : kGraphs) {
    if (graph.name == found) return graph;
  }
  return Unimplemented("{}: encoder is {}, only {} and {} are supported", config.source_name(), found, kGraphs[0].name,
                       kGraphs[1].name);
}

absl::Status CheckGraph(const Config& config, const Graph& graph) {
  const auto expect = [&config](std::string_view key, std::string fallback, std::string_view wanted) -> absl::Status {
    TUTTI_ASSIGN_OR_RETURN(const std::string found, config.GetString(key, std::move(fallback)));
    if (found == wanted) return absl::OkStatus();
    return Unimplemented("{}: {} is {}, only {} is supported", config.source_name(), key, found, wanted);
  };
  TUTTI_RETURN_IF_ERROR(expect("encoder_conf.input_layer", graph.default_input_layer, "pe"));
  TUTTI_RETURN_IF_ERROR(expect("encoder_conf.selfattention_layer_type", "sanm", "sanm"));
  TUTTI_RETURN_IF_ERROR(expect("encoder_conf.positionwise_layer_type", "linear", "linear"));
  TUTTI_ASSIGN_OR_RETURN(const bool before, config.GetBool("encoder_conf.normalize_before", true));
  TUTTI_ASSIGN_OR_RETURN(const bool concat, config.GetBool("encoder_conf.concat_after", false));
  if (!before || concat) {
    return Unimplemented("{}: encoder_conf: only normalize_before: true with concat_after: false is supported",
                         config.source_name());
  }
  return absl::OkStatus();
}

// An error when the weights hold a layer beyond those that the configuration counts.
absl::Status CheckCount(const WeightSource& source, std::string_view list, int64_t count, std::string_view key,
                        int64_t configured) {
  const std::string beyond = fmt::format("encoder.{}.{}.norm1.weight", list, count);
  if (!source.Has(beyond)) return absl::OkStatus();
  return InvalidArgument("encoder_conf.{} is {}, but the weights hold {}", key, configured, beyond);
}

absl::StatusOr<SanmLayer> LoadLayer(const WeightSource& source, std::string_view name, int64_t in,
                                    const SanmEncoderOptions& options) {
  const SanmLayerShape shape = {.in = in,
                                .width = options.width,
                                .heads = options.heads,
                                .hidden = options.hidden,
                                .taps = options.taps,
                                .left = (options.taps - 1) / 2 + options.shift,
                                .compute_type = options.compute_type};
  return SanmLayer::Load(source, name, shape, options.norm_eps);
}

}  // namespace

absl::StatusOr<SanmEncoderOptions> SanmEncoderOptions::FromConfig(const Config& config, int64_t in) {
  TUTTI_ASSIGN_OR_RETURN(const Graph graph, FindGraph(config));
  TUTTI_RETURN_IF_ERROR(CheckGraph(config, graph));
  SanmEncoderOptions options;
  options.norm_eps = graph.norm_eps;
  options.in = in;
  TUTTI_ASSIGN_OR_RETURN(options.width, config.GetIntBetween("encoder_conf.output_size", 256, 4, 8192));
  TUTTI_ASSIGN_OR_RETURN(options.heads, config.GetIntBetween("encoder_conf.attention_heads", 4, 1, 256));
  TUTTI_ASSIGN_OR_RETURN(options.hidden, config.GetIntBetween("encoder_conf.linear_units", 2048, 1, 65536));
  TUTTI_ASSIGN_OR_RETURN(options.blocks, config.GetIntBetween("encoder_conf.num_blocks", 6, 1, 1000));
  if (graph.has_tp_blocks) {
    TUTTI_ASSIGN_OR_RETURN(options.tp_blocks, config.GetIntBetween("encoder_conf.tp_blocks", 0, 0, 1000));
  }
  TUTTI_ASSIGN_OR_RETURN(options.taps, config.GetIntBetween("encoder_conf.kernel_size", 11, 1, 1000));
  TUTTI_ASSIGN_OR_RETURN(options.shift, config.GetIntBetween("encoder_conf.sanm_shfit", 0, 0, (options.taps - 1) / 2));
  if (options.width % options.heads != 0) {
    return InvalidArgument("{}: encoder_conf.output_size {} is not a multiple of attention_heads {}",
                           config.source_name(), options.width, options.heads);
  }
  return options;
}

absl::StatusOr<SanmEncoder> SanmEncoder::Load(const WeightSource& source, const SanmEncoderOptions& options) {
  if (options.in < 4 || options.in % 2 != 0) {
    return InvalidArgument("encoder: input width {}, expected an even number of at least 4", options.in);
  }
  TUTTI_RETURN_IF_ERROR(CheckCount(source, "encoders", options.blocks - 1, "num_blocks", options.blocks));
  TUTTI_RETURN_IF_ERROR(CheckCount(source, "tp_encoders", options.tp_blocks, "tp_blocks", options.tp_blocks));
  SanmEncoder encoder(options);
  encoder.layers_.reserve(static_cast<size_t>(options.blocks));
  for (int64_t i = 0; i < options.blocks; ++i) {
    const std::string name = i == 0 ? "encoder.encoders0.0" : fmt::format("encoder.encoders.{}", i - 1);
    TUTTI_ASSIGN_OR_RETURN(SanmLayer layer, LoadLayer(source, name, i == 0 ? options.in : options.width, options));
    encoder.layers_.push_back(std::move(layer));
  }
  TUTTI_ASSIGN_OR_RETURN(encoder.after_norm_,
                         Norm::Load(source, "encoder.after_norm", options.width, options.norm_eps));
  if (options.tp_blocks == 0) return encoder;
  for (int64_t i = 0; i < options.tp_blocks; ++i) {
    TUTTI_ASSIGN_OR_RETURN(SanmLayer layer,
                           LoadLayer(source, fmt::format("encoder.tp_encoders.{}", i), options.width, options));
    encoder.tp_layers_.push_back(std::move(layer));
  }
  TUTTI_ASSIGN_OR_RETURN(encoder.tp_norm_, Norm::Load(source, "encoder.tp_norm", options.width, options.norm_eps));
  return encoder;
}

void SanmEncoder::Run(const ScatteredBatch& features, Workspace& workspace, float* encoded) const {
  const int64_t rows = features.rows();
  if (rows == 0) return;
  const std::span<const int64_t> offsets = features.offsets();
  // Features are wide, and a batch of them is megabytes: positions are added as the first layer reads its rows.
  layers_.front().RunFrom([&](int64_t first, int64_t count, float* x) { AddPositions(features, first, count, x); },
                          offsets, encoded, workspace);
  for (size_t i = 1; i < layers_.size(); ++i) layers_[i].Run(encoded, offsets, encoded, workspace);
  after_norm_.Run(encoded, rows, encoded);
  if (tp_layers_.empty()) return;
  for (const SanmLayer& layer : tp_layers_) layer.Run(encoded, offsets, encoded, workspace);
  tp_norm_.Run(encoded, rows, encoded);
}

void SanmEncoder::AddPositions(const ScatteredBatch& features, int64_t first, int64_t count, float* rows) const {
  const float scale = std::sqrt(static_cast<float>(options_.width));
  const std::span<const int64_t> offsets = features.offsets();
  int64_t segment = std::ranges::upper_bound(offsets, first) - offsets.begin() - 1;
  for (const int64_t end = first + count; first < end; ++segment) {
    const int64_t begin = offsets[static_cast<size_t>(segment)];
    const int64_t some = std::min(end, offsets[static_cast<size_t>(segment) + 1]) - first;
    positions_.Apply(features.segment(segment) + (first - begin) * options_.in, first - begin, some, scale, rows);
    rows += some * options_.in;
    first += some;
  }
}

double SanmEncoder::Operations(int64_t rows) const {
  const auto width = static_cast<double>(options_.width), hidden = static_cast<double>(options_.hidden);
  const auto blocks = static_cast<double>(options_.blocks + options_.tp_blocks), r = static_cast<double>(rows);
  const double inputs = static_cast<double>(options_.in) + width * (blocks - 1);
  const double linear = r * (3 * width * inputs + blocks * (width * width + 2 * width * hidden));
  const double attention = blocks * 2 * r * r * width;
  return 2 * (linear + attention);
}

}  // namespace tutti
