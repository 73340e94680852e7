#include "models/whisper_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "nn/matrix_product.h"
#include "nn/ops.h"
#include "nn/quantise.h"
#include "nn/token_ops.h"

namespace tutti {
namespace {

constexpr int64_t kTaps = 3;  // of a convolution

// A convolution along time as a product: tap after tap of `in` channels each is how the rows of its input lie.
absl::StatusOr<Linear> LoadConvolution(const WeightSource& source, std::string_view name, int64_t out, int64_t in,
                                       ComputeType type) {
  TUTTI_ASSIGN_OR_RETURN(const Weight weight, source.Get(fmt::format("{}/weight", name), {out, in, kTaps}));
  TUTTI_ASSIGN_OR_RETURN(const Weight bias, source.Get(fmt::format("{}/bias", name), {out}));
  std::vector<float> by_tap(weight.size());
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t i = 0; i < in; ++i) {
      for (int64_t tap = 0; tap < kTaps; ++tap) {
        by_tap[static_cast<size_t>((o * kTaps + tap) * in + i)] = weight.data()[(o * in + i) * kTaps + tap];
      }
    }
  }
  return Linear::Create(by_tap.data(), bias.data(), out, kTaps * in, {.type = type, .arena = &source.arena()});
}

// Features have a wide range and are few: never int8.
ComputeType FirstType(ComputeType type) { return type == ComputeType::kInt8 ? ComputeType::kBf16 : type; }

}  // namespace

absl::StatusOr<WhisperEncoder> WhisperEncoder::Load(const WeightSource& source, const WhisperDims& dims) {
  if (dims.width % dims.encoder_heads != 0) {
    return InvalidArgument("encoder: width {} is not a multiple of {} heads", dims.width, dims.encoder_heads);
  }
  WhisperEncoder encoder(dims);
  const int64_t width = dims.width;
  TUTTI_ASSIGN_OR_RETURN(encoder.conv1_,
                         LoadConvolution(source, "encoder/conv1", width, dims.mels, FirstType(dims.compute_type)));
  TUTTI_ASSIGN_OR_RETURN(encoder.conv2_, LoadConvolution(source, "encoder/conv2", width, width, dims.compute_type));
  TUTTI_ASSIGN_OR_RETURN(const Weight positions,
                         source.Get("encoder/position_encodings/encodings", {dims.audio_positions, width}));
  encoder.positions_ = positions.Copy();
  for (int64_t i = 0; i < dims.encoder_layers; ++i) {
    TUTTI_ASSIGN_OR_RETURN(Layer layer, LoadLayer(source, fmt::format("encoder/layer_{}", i), dims));
    encoder.layers_.push_back(std::move(layer));
  }
  TUTTI_ASSIGN_OR_RETURN(encoder.norm_, WhisperNorm::Load(source, "encoder/layer_norm", width));
  return encoder;
}

absl::StatusOr<WhisperEncoder::Layer> WhisperEncoder::LoadLayer(const WeightSource& source, std::string_view name,
                                                                const WhisperDims& dims) {
  const auto in_layer = [name](std::string_view part) { return fmt::format("{}/{}", name, part); };
  const int64_t width = dims.width;
  const ComputeType type = dims.compute_type;
  Layer layer;
  TUTTI_ASSIGN_OR_RETURN(layer.norm, WhisperNorm::Load(source, in_layer("self_attention/layer_norm"), width));
  TUTTI_ASSIGN_OR_RETURN(
      layer.qkv, LoadWhisperLinear(source, in_layer("self_attention/linear_0"), {3 * width, width}, {.type = type}));
  TUTTI_ASSIGN_OR_RETURN(layer.out, LoadWhisperLinear(source, in_layer("self_attention/linear_1"), {width, width},
                                                      {.accumulate = true, .type = type}));
  TUTTI_ASSIGN_OR_RETURN(layer.feed_forward, WhisperFeedForward::Load(source, in_layer("ffn"), dims));
  return layer;
}

void WhisperEncoder::Run(const ScatteredBatch& features, std::span<const int64_t> window_frames, Workspace& workspace,
                         float* encoded) const {
  const bool narrow = dims_.compute_type != ComputeType::kF32 && DetectProductIsa().fast_bf16;
  float* x = encoded;
  for (int64_t i = 0; i < features.segments(); ++i) {
    const int64_t window = window_frames[static_cast<size_t>(i)], rows = Rows(window);
    Convolve(features.segment(i), features.rows(i), window, x, workspace);
    for (const Layer& layer : layers_) {
      if (narrow) {
        AttendNarrow(layer, rows, x, workspace);
      } else {
        Attend(layer, rows, x, workspace);
      }
      layer.feed_forward.Run(x, rows, workspace);
    }
    norm_.Run(x, rows, x);
    x += rows * dims_.width;
  }
}

void WhisperEncoder::Convolve(const float* features, int64_t frames, int64_t window_frames, float* x,
                              Workspace& workspace) const {
  ForRowBlocks(Rows(window_frames), workspace, [&](int64_t first, int64_t count, Workspace& scratch) {
    ConvolveRows(features, frames, window_frames, first, count, x + first * dims_.width, scratch);
  });
}

void WhisperEncoder::ConvolveRows(const float* features, int64_t frames, int64_t window_frames, int64_t first,
                                  int64_t count, float* x, Workspace& workspace) const {
  Workspace::Scope scope(workspace);
  const int64_t mels = dims_.mels, width = dims_.width;
  // Row r of x takes rows 2r - 1 … 2r + 1 of the first convolution, and row s of that frames s - 1 … s + 1.
  const int64_t middle_rows = 2 * count + 1, first_middle = 2 * first - 1, first_frame = first_middle - 1;
  float* input = scope.Floats((middle_rows + 2) * mels);
  float* middle = scope.Floats(middle_rows * width);
  for (int64_t i = 0; i < middle_rows + 2; ++i) {
    const int64_t frame = first_frame + i;
    float* row = input + i * mels;
    if (frame >= 0 && frame < frames) {
      std::copy_n(features + frame * mels, mels, row);
    } else {
      std::fill_n(row, mels, 0.0F);
    }
  }
  conv1_.Run(input, mels, middle_rows, middle, width, workspace);
  Gelu(middle, middle_rows * width);
  for (int64_t i = 0; i < middle_rows; ++i) {
    const int64_t row = first_middle + i;
    if (row < 0 || row >= window_frames) std::fill_n(middle + i * width, width, 0.0F);
  }
  conv2_.Run(middle, 2 * width, count, x, width, workspace);
  Gelu(x, count * width);
  Add(positions_.data() + first * width, count * width, x);
}

void WhisperEncoder::Attend(const Layer& layer, int64_t rows, float* x, Workspace& workspace) const {
  Workspace::Scope scope(workspace);
  const int64_t width = dims_.width, stride = Linear::RowStride(dims_.compute_type, 3 * width),
                dk = width / dims_.encoder_heads;
  float* qkv = scope.Floats(rows * stride);
  RunNormed(layer.norm, layer.qkv, x, rows, qkv, stride, workspace);
  const std::array<int64_t, 2> offsets = {0, rows};
  const AttentionShape shape = {
      .heads = dims_.encoder_heads, .dk = dk, .int8 = dims_.compute_type == ComputeType::kInt8};
  Attention(qkv, stride, offsets, qkv + width, qkv + 2 * width, stride, offsets, shape,
            1.0F / std::sqrt(static_cast<float>(dk)), qkv, stride, workspace);
  RunShared(layer.out, qkv, stride, rows, x, width, workspace);
}

// Queries and keys wait for attention in bf16, which is half the memory.
void WhisperEncoder::AttendNarrow(const Layer& layer, int64_t rows, float* x, Workspace& workspace) const {
  Workspace::Scope scope(workspace);
  const int64_t width = dims_.width, dk = width / dims_.encoder_heads;
  const int64_t v_stride = Linear::RowStride(dims_.compute_type, width);
  auto* qk = scope.As<uint16_t>(rows * 2 * width);
  float* v = scope.Floats(rows * v_stride);
  ForRowBlocks(rows, workspace, [&](int64_t first, int64_t count, Workspace& scratch) {
    Workspace::Scope block_scope(scratch);
    const int64_t stride = Linear::RowStride(dims_.compute_type, 3 * width);
    float* normed = block_scope.Floats(count * width);
    float* qkv = block_scope.Floats(count * stride);
    layer.norm.Run(x + first * width, count, normed);
    layer.qkv.Run(normed, width, count, qkv, stride, scratch);
    for (int64_t r = first; r < first + count; ++r, qkv += stride) {
      ToBf16(qkv, 2 * width, qk + r * 2 * width);
      std::copy_n(qkv + 2 * width, width, v + r * v_stride);
    }
  });
  const std::array<int64_t, 2> offsets = {0, rows};
  SelfAttentionBf16(qk, qk + width, 2 * width, v, v_stride, offsets, {dims_.encoder_heads, dk, true},
                    1.0F / std::sqrt(static_cast<float>(dk)), workspace);
  RunShared(layer.out, v, v_stride, rows, x, width, workspace);
}

}  // namespace tutti
