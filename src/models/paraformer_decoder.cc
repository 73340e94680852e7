#include "models/paraformer_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "models/segment_groups.h"
#include "nn/ops.h"

namespace tutti {
namespace {

// Encoder rows whose keys and values are there at a time, whole segments: 1 MB at a width of 512.
constexpr int64_t kKeyRows = 256;

absl::Status CheckCount(const WeightSource& source, std::string_view list, int64_t count, std::string_view key) {
  const std::string beyond = fmt::format("decoder.{}.{}.norm1.weight", list, count);
  if (!source.Has(beyond)) return absl::OkStatus();
  return InvalidArgument("decoder_conf.{} makes {} layers in {}, but the weights hold {}", key, count, list, beyond);
}

}  // namespace

absl::StatusOr<ParaformerDecoderOptions> ParaformerDecoderOptions::FromConfig(const Config& config, int64_t width,
                                                                              int64_t vocabulary) {
  TUTTI_ASSIGN_OR_RETURN(const std::string name, config.GetString("decoder", ""));
  if (name != "ParaformerSANMDecoder") {
    return Unimplemented("{}: decoder is {}, only ParaformerSANMDecoder is supported", config.source_name(), name);
  }
  TUTTI_ASSIGN_OR_RETURN(const bool before, config.GetBool("decoder_conf.normalize_before", true));
  TUTTI_ASSIGN_OR_RETURN(const bool concat, config.GetBool("decoder_conf.concat_after", false));
  if (!before || concat) {
    return Unimplemented("{}: decoder_conf: only normalize_before: true with concat_after: false is supported",
                         config.source_name());
  }
  ParaformerDecoderOptions options;
  options.width = width;
  options.vocabulary = vocabulary;
  TUTTI_ASSIGN_OR_RETURN(options.heads, config.GetIntBetween("decoder_conf.attention_heads", 4, 1, 256));
  TUTTI_ASSIGN_OR_RETURN(options.hidden, config.GetIntBetween("decoder_conf.linear_units", 2048, 1, 65536));
  TUTTI_ASSIGN_OR_RETURN(const int64_t blocks, config.GetIntBetween("decoder_conf.num_blocks", 6, 0, 1000));
  TUTTI_ASSIGN_OR_RETURN(options.attention_layers, config.GetIntBetween("decoder_conf.att_layer_num", 6, 0, 1000));
  options.plain_layers = std::max<int64_t>(0, blocks - options.attention_layers);
  TUTTI_ASSIGN_OR_RETURN(options.taps, config.GetIntBetween("decoder_conf.kernel_size", 11, 1, 1000));
  TUTTI_ASSIGN_OR_RETURN(options.shift, config.GetIntBetween("decoder_conf.sanm_shfit", 0, 0, (options.taps - 1) / 2));
  if (width % options.heads != 0) {
    return InvalidArgument("{}: decoder_conf.attention_heads {} does not divide the width {}", config.source_name(),
                           options.heads, width);
  }
  return options;
}

absl::StatusOr<ParaformerDecoder::FeedForward> ParaformerDecoder::LoadFeedForward(
    const WeightSource& source, std::string_view name, const ParaformerDecoderOptions& options) {
  const auto in_layer = [name](std::string_view part) { return fmt::format("{}.{}", name, part); };
  const int64_t width = options.width, hidden = options.hidden;
  FeedForward block;
  TUTTI_ASSIGN_OR_RETURN(block.norm1, Norm::Load(source, in_layer("norm1"), width, options.norm_eps));
  TUTTI_ASSIGN_OR_RETURN(block.up, LoadLinear(source, in_layer("feed_forward.w_1"), {hidden, width},
                                              {.relu = true, .type = options.compute_type}));
  TUTTI_ASSIGN_OR_RETURN(block.inner, Norm::Load(source, in_layer("feed_forward.norm"), hidden, options.norm_eps));
  TUTTI_ASSIGN_OR_RETURN(block.down, LoadLinear(source, in_layer("feed_forward.w_2"), {width, hidden, false},
                                                {.type = options.compute_type}));
  return block;
}

absl::StatusOr<ParaformerDecoder::Layer> ParaformerDecoder::LoadLayer(const WeightSource& source, std::string_view name,
                                                                      bool attention,
                                                                      const ParaformerDecoderOptions& options) {
  const auto in_layer = [name](std::string_view part) { return fmt::format("{}.{}", name, part); };
  const int64_t width = options.width;
  // Only attention layers look ahead less in the streaming model.
  const int64_t left = (options.taps - 1) / 2 + (attention ? options.shift : 0);
  const ComputeType type = options.compute_type;
  Layer layer;
  TUTTI_ASSIGN_OR_RETURN(layer.feed_forward, LoadFeedForward(source, name, options));
  TUTTI_ASSIGN_OR_RETURN(layer.norm2, Norm::Load(source, in_layer("norm2"), width, options.norm_eps));
  TUTTI_ASSIGN_OR_RETURN(layer.fsmn, Fsmn::Load(source, in_layer("self_attn.fsmn_block"), {width, options.taps, left}));
  if (!attention) return layer;
  TUTTI_ASSIGN_OR_RETURN(layer.norm3, Norm::Load(source, in_layer("norm3"), width, options.norm_eps));
  TUTTI_ASSIGN_OR_RETURN(layer.q, LoadLinear(source, in_layer("src_attn.linear_q"), {width, width}, {.type = type}));
  TUTTI_ASSIGN_OR_RETURN(layer.kv,
                         LoadLinear(source, in_layer("src_attn.linear_k_v"), {2 * width, width}, {.type = type}));
  TUTTI_ASSIGN_OR_RETURN(layer.out, LoadLinear(source, in_layer("src_attn.linear_out"), {width, width},
                                               {.accumulate = true, .type = type}));
  return layer;
}

absl::StatusOr<ParaformerDecoder> ParaformerDecoder::Load(const WeightSource& source,
                                                          const ParaformerDecoderOptions& options) {
  TUTTI_RETURN_IF_ERROR(CheckCount(source, "decoders", options.attention_layers, "att_layer_num"));
  TUTTI_RETURN_IF_ERROR(CheckCount(source, "decoders2", options.plain_layers, "num_blocks"));
  TUTTI_RETURN_IF_ERROR(CheckCount(source, "decoders3", 1, "num_blocks"));
  ParaformerDecoder decoder(options);
  for (int64_t i = 0; i < options.attention_layers + options.plain_layers; ++i) {
    const bool attention = i < options.attention_layers;
    const std::string name = attention ? fmt::format("decoder.decoders.{}", i)
                                       : fmt::format("decoder.decoders2.{}", i - options.attention_layers);
    TUTTI_ASSIGN_OR_RETURN(Layer layer, LoadLayer(source, name, attention, options));
    decoder.layers_.push_back(std::move(layer));
  }
  TUTTI_ASSIGN_OR_RETURN(decoder.last_, LoadFeedForward(source, "decoder.decoders3.0", options));
  TUTTI_ASSIGN_OR_RETURN(decoder.after_norm_,
                         Norm::Load(source, "decoder.after_norm", options.width, options.norm_eps));
  TUTTI_ASSIGN_OR_RETURN(decoder.output_,
                         OutputLayer::Load(source, "decoder.output_layer", options.vocabulary, options.width));
  return decoder;
}

void ParaformerDecoder::RunFeedForward(const FeedForward& block, const float* x, int64_t rows, float* y,
                                       Workspace& workspace) const {
  ForRowBlocks(rows, workspace, [&](int64_t first, int64_t count, Workspace& scratch) {
    Workspace::Scope scope(scratch);
    float* normed = scope.Floats(count * options_.width);
    float* hidden = scope.Floats(count * options_.hidden);
    block.norm1.Run(x + first * options_.width, count, normed);
    block.up.Run(normed, count, hidden, scratch);
    block.inner.Run(hidden, count, hidden);
    block.down.Run(hidden, count, y + first * options_.width, scratch);
  });
}

void ParaformerDecoder::Attend(const Layer& layer, std::span<const int64_t> offsets, const RaggedBatch& encoded,
                               float* x, float* normed, Workspace& workspace) const {
  const int64_t tokens = offsets.back(), width = options_.width, dk = width / options_.heads;
  Workspace::Scope scope(workspace);
  float* q = scope.Floats(tokens * width);
  layer.norm3.Run(x, tokens, normed);
  RunShared(layer.q, normed, tokens, q, workspace);
  float* heads = q;  // in the place of the queries
  SegmentGroups groups(encoded.offsets, kKeyRows);
  while (groups.Next()) {
    Workspace::Scope group_scope(workspace);
    float* kv = group_scope.Floats(groups.rows() * 2 * width);
    RunShared(layer.kv, encoded.segment(groups.first()), groups.rows(), kv, workspace);
    const auto queries = offsets.subspan(static_cast<size_t>(groups.first()), groups.offsets().size());
    Attention(q, width, queries, kv, kv + width, 2 * width, groups.offsets(),
              {options_.heads, dk, options_.compute_type != ComputeType::kF32},
              1.0F / std::sqrt(static_cast<float>(dk)), heads, width, workspace);
  }
  RunShared(layer.out, heads, tokens, x, workspace);
}

void ParaformerDecoder::Run(const RaggedBatch& acoustic, const RaggedBatch& encoded, Workspace& workspace,
                            float* decoded) const {
  const int64_t tokens = acoustic.rows(), width = options_.width;
  if (tokens == 0) return;
  Workspace::Scope scope(workspace);
  float* const x = decoded;
  float* y = scope.Floats(tokens * width);
  if (acoustic.data != x) std::copy(acoustic.data, acoustic.data + tokens * width, x);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    RunFeedForward(layer.feed_forward, x, tokens, y, workspace);
    layer.norm2.Run(y, tokens, y);
    layer.fsmn.Run(y, width, acoustic.offsets, true, x);
    if (static_cast<int64_t>(i) < options_.attention_layers) Attend(layer, acoustic.offsets, encoded, x, y, workspace);
  }
  RunFeedForward(last_, x, tokens, x, workspace);
  after_norm_.Run(x, tokens, x);
}

}  // namespace tutti
