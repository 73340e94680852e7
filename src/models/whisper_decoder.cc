#include "models/whisper_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "nn/ops.h"
#include "nn/paged_attention.h"

namespace tutti {

absl::StatusOr<WhisperDecoder> WhisperDecoder::Load(const WeightSource& source, const WhisperDims& dims) {
  if (dims.width % dims.decoder_heads != 0) {
    return InvalidArgument("decoder: width {} is not a multiple of {} heads", dims.width, dims.decoder_heads);
  }
  const int64_t width = dims.width;
  WhisperDecoder decoder(dims);
  TUTTI_ASSIGN_OR_RETURN(const Weight positions,
                         source.Get("decoder/position_encodings/encodings", {dims.text_positions, width}));
  decoder.positions_ = positions.Copy();
  for (int64_t i = 0; i < dims.decoder_layers; ++i) {
    TUTTI_ASSIGN_OR_RETURN(Layer layer, LoadLayer(source, fmt::format("decoder/layer_{}", i), dims));
    decoder.layers_.push_back(std::move(layer));
  }
  TUTTI_ASSIGN_OR_RETURN(decoder.norm_, WhisperNorm::Load(source, "decoder/layer_norm", width));
  TUTTI_ASSIGN_OR_RETURN(
      decoder.output_,
      LoadWhisperLinear(source, "decoder/embeddings", {dims.vocabulary, width, false}, {.type = dims.compute_type}));
  if (!decoder.output_.has_weights()) {
    TUTTI_ASSIGN_OR_RETURN(decoder.embeddings_, EmbeddingTable::Load(source, "decoder/embeddings/weight",
                                                                     dims.vocabulary, width, dims.compute_type));
  }
  return decoder;
}

absl::StatusOr<WhisperDecoder::Layer> WhisperDecoder::LoadLayer(const WeightSource& source, std::string_view name,
                                                                const WhisperDims& dims) {
  const auto in_layer = [name](std::string_view part) { return fmt::format("{}/{}", name, part); };
  const int64_t width = dims.width;
  const LinearOptions store = {.type = dims.compute_type}, add = {.accumulate = true, .type = dims.compute_type};
  const auto load = [&](std::string_view part, int64_t out, const LinearOptions& options) {
    return LoadWhisperLinear(source, in_layer(part), {out, width}, options);
  };
  Layer layer;
  TUTTI_ASSIGN_OR_RETURN(layer.norm, WhisperNorm::Load(source, in_layer("self_attention/layer_norm"), width));
  TUTTI_ASSIGN_OR_RETURN(layer.qkv, load("self_attention/linear_0", 3 * width, store));
  TUTTI_ASSIGN_OR_RETURN(layer.out, load("self_attention/linear_1", width, add));
  TUTTI_ASSIGN_OR_RETURN(layer.cross_norm, WhisperNorm::Load(source, in_layer("attention/layer_norm"), width));
  TUTTI_ASSIGN_OR_RETURN(layer.q, load("attention/linear_0", width, store));
  TUTTI_ASSIGN_OR_RETURN(layer.kv, load("attention/linear_1", 2 * width, store));
  TUTTI_ASSIGN_OR_RETURN(layer.cross_out, load("attention/linear_2", width, add));
  TUTTI_ASSIGN_OR_RETURN(layer.feed_forward, WhisperFeedForward::Load(source, in_layer("ffn"), dims));
  return layer;
}

float WhisperDecoder::attention_scale() const {
  const int64_t dk = dims_.width / dims_.decoder_heads;
  return 1.0F / std::sqrt(static_cast<float>(dk));
}

CrossMemory WhisperDecoder::Listen(const float* encoded, int64_t rows, Workspace& workspace) const {
  const int64_t width = dims_.width;
  CrossMemory memory(dims_.decoder_layers, rows, attention_shape(), dims_.compute_type);
  ForRowBlocks(rows, workspace, [&](int64_t first, int64_t count, Workspace& scratch) {
    Workspace::Scope scope(scratch);
    float* kv = scope.Floats(count * 2 * width);
    for (size_t layer = 0; layer < layers_.size(); ++layer) {
      layers_[layer].kv.Run(encoded + first * width, count, kv, scratch);
      memory.Put(static_cast<int64_t>(layer), first, count, kv, kv + width, 2 * width);
    }
  });
  return memory;
}

void WhisperDecoder::Run(std::span<const WhisperInput> inputs, Workspace& workspace, float* hidden,
                         const WhisperProbe* probe) const {
  Workspace::Scope scope(workspace);
  int64_t count = 0;
  for (const WhisperInput& input : inputs) count += static_cast<int64_t>(input.tokens.size());
  if (count == 0) return;
  auto* rows = scope.As<Row>(count);
  auto* groups = scope.As<Group>(static_cast<int64_t>(inputs.size()));
  size_t row = 0, group_count = 0;
  Embed(inputs, hidden);
  for (const WhisperInput& input : inputs) {
    const auto tokens = static_cast<int64_t>(input.tokens.size()), before = input.cache->tokens();
    if (group_count == 0 || groups[group_count - 1].memory != input.memory) {
      groups[group_count++] = {input.memory, static_cast<int64_t>(row), 0};
    }
    groups[group_count - 1].rows += tokens;
    for (int64_t i = 0; i < tokens; ++i) rows[row++] = {input.cache, before + i};
    input.cache->Extend(tokens);
  }
  float* scratch = scope.Floats(count * 3 * dims_.width);
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const auto index = static_cast<int64_t>(layer);
    Attend(index, {rows, row}, hidden, scratch, workspace);
    AttendToMemory(index, {groups, group_count}, count, hidden, scratch, probe, workspace);
    layers_[layer].feed_forward.Run(hidden, count, workspace);
  }
  norm_.Run(hidden, count, hidden);
}

void WhisperDecoder::Embed(std::span<const WhisperInput> inputs, float* x) const {
  const int64_t width = dims_.width;
  for (const WhisperInput& input : inputs) {
    int64_t position = input.cache->tokens();
    for (const int32_t token : input.tokens) {
      output_.has_weights() ? output_.Weights(token, x) : embeddings_.Get(token, x);
      Add(positions_.data() + position * width, width, x);
      ++position;
      x += width;
    }
  }
}

void WhisperDecoder::Attend(int64_t layer, std::span<const Row> rows, float* x, float* scratch,
                            Workspace& workspace) const {
  const Layer& weights = layers_[static_cast<size_t>(layer)];
  const auto count = static_cast<int64_t>(rows.size());
  const int64_t width = dims_.width, stride = 3 * width;
  RunNormed(weights.norm, weights.qkv, x, count, scratch, stride, workspace);
  for (int64_t i = 0; i < count; ++i) {
    const Row& row = rows[static_cast<size_t>(i)];
    const float* key = scratch + i * stride + width;
    row.cache->Put(layer, row.position, key, key + width);
  }
  ForEach(count, workspace, [&](int64_t i, Workspace& own) {
    const Row& row = rows[static_cast<size_t>(i)];
    float* q = scratch + i * stride;
    PagedAttention(q, *row.cache, layer, row.position + 1, attention_shape(), attention_scale(), q, own);
  });
  RunShared(weights.out, scratch, stride, count, x, width, workspace);
}

void WhisperDecoder::AttendToMemory(int64_t layer, std::span<const Group> groups, int64_t rows, float* x,
                                    float* scratch, const WhisperProbe* probe, Workspace& workspace) const {
  const Layer& weights = layers_[static_cast<size_t>(layer)];
  const int64_t width = dims_.width, heads = dims_.decoder_heads, dk = width / heads;
  RunNormed(weights.cross_norm, weights.q, x, rows, scratch, width, workspace);
  ForEach(static_cast<int64_t>(groups.size()) * heads, workspace, [&](int64_t item, Workspace& own) {
    const Group& group = groups[static_cast<size_t>(item / heads)];
    const int64_t head = item % heads;
    float* q = scratch + group.first * width + head * dk;
    float* seen = nullptr;
    for (size_t i = 0; probe != nullptr && i < probe->heads.size(); ++i) {
      if (probe->heads[i] == std::pair(layer, head)) {
        seen = probe->weights + static_cast<int64_t>(i) * group.rows * group.memory->rows();
      }
    }
    CrossAttentionHead(q, width, group.rows, *group.memory, layer, head, attention_scale(), q, width, seen, own);
  });
  RunShared(weights.cross_out, scratch, rows, x, workspace);
}

void WhisperDecoder::Logits(const float* hidden, int64_t rows, Workspace& workspace, float* logits) const {
  RunShared(output_, hidden, rows, logits, workspace);
}

}  // namespace tutti
