#include "models/whisper_layers.h"

#include <fmt/format.h>

#include "nn/token_ops.h"

namespace tutti {

absl::StatusOr<WhisperDims> WhisperDimsOf(const WhisperSizes& sizes) {
  if (sizes.encoder_units != sizes.decoder_units) {
    return InvalidArgument("feed-forward layers of {} units in the encoder and {} in the decoder, expected as many",
                           sizes.encoder_units, sizes.decoder_units);
  }
  return WhisperDims{.mels = sizes.mels,
                     .width = sizes.width,
                     .encoder_heads = sizes.encoder_heads,
                     .decoder_heads = sizes.decoder_heads,
                     .hidden = sizes.encoder_units,
                     .encoder_layers = sizes.encoder_layers,
                     .decoder_layers = sizes.decoder_layers,
                     .audio_positions = sizes.encoder_positions,
                     .text_positions = sizes.decoder_positions,
                     .vocabulary = sizes.vocabulary};
}

absl::StatusOr<Linear> LoadWhisperLinear(const WeightSource& source, std::string_view name, LinearShape shape,
                                         LinearOptions options) {
  options.arena = &source.arena();
  TUTTI_ASSIGN_OR_RETURN(const StoredMatrix weight,
                         source.GetMatrix(fmt::format("{}/weight", name), shape.out, shape.in));
  if (!shape.bias) return Linear::Create(weight.view, nullptr, shape.out, shape.in, options);
  TUTTI_ASSIGN_OR_RETURN(const Weight bias, source.Get(fmt::format("{}/bias", name), {shape.out}));
  return Linear::Create(weight.view, bias.data(), shape.out, shape.in, options);
}

absl::StatusOr<WhisperNorm> WhisperNorm::Load(const WeightSource& source, std::string_view name, int64_t width) {
  TUTTI_ASSIGN_OR_RETURN(const Weight gamma, source.Get(fmt::format("{}/gamma", name), {width}));
  TUTTI_ASSIGN_OR_RETURN(const Weight beta, source.Get(fmt::format("{}/beta", name), {width}));
  WhisperNorm norm;
  norm.gamma_ = gamma.Copy();
  norm.beta_ = beta.Copy();
  return norm;
}

void RunNormed(const WhisperNorm& norm, const Linear& linear, const float* x, int64_t rows, float* y, int64_t y_stride,
               Workspace& workspace) {
  const int64_t width = linear.in();
  if (AreFew(rows, workspace)) {
    Workspace::Scope scope(workspace);
    float* normed = scope.Floats(rows * width);
    norm.Run(x, rows, normed);
    return linear.RunByOutputs(normed, width, rows, y, y_stride, workspace);
  }
  ForRowBlocks(rows, workspace, [&](int64_t first, int64_t count, Workspace& scratch) {
    Workspace::Scope scope(scratch);
    float* normed = scope.Floats(count * width);
    norm.Run(x + first * width, count, normed);
    linear.Run(normed, width, count, y + first * y_stride, y_stride, scratch);
  });
}

absl::StatusOr<WhisperFeedForward> WhisperFeedForward::Load(const WeightSource& source, std::string_view name,
                                                            const WhisperDims& dims) {
  const auto in_block = [name](std::string_view part) { return fmt::format("{}/{}", name, part); };
  const ComputeType type = dims.compute_type;
  WhisperFeedForward block;
  block.width_ = dims.width;
  block.hidden_stride_ = Linear::RowStride(type, dims.hidden);
  TUTTI_ASSIGN_OR_RETURN(block.norm_, WhisperNorm::Load(source, in_block("layer_norm"), dims.width));
  TUTTI_ASSIGN_OR_RETURN(block.up_,
                         LoadWhisperLinear(source, in_block("linear_0"), {dims.hidden, dims.width}, {.type = type}));
  TUTTI_ASSIGN_OR_RETURN(block.down_, LoadWhisperLinear(source, in_block("linear_1"), {dims.width, dims.hidden},
                                                        {.accumulate = true, .type = type}));
  return block;
}

void WhisperFeedForward::RunFew(float* x, int64_t rows, Workspace& workspace) const {
  Workspace::Scope scope(workspace);
  float* hidden = scope.Floats(rows * hidden_stride_);
  RunNormed(norm_, up_, x, rows, hidden, hidden_stride_, workspace);
  for (int64_t row = 0; row < rows; ++row) Gelu(hidden + row * hidden_stride_, up_.out());
  down_.RunByOutputs(hidden, hidden_stride_, rows, x, width_, workspace);
}

void WhisperFeedForward::Run(float* x, int64_t rows, Workspace& workspace) const {
  if (AreFew(rows, workspace)) return RunFew(x, rows, workspace);
  ForRowBlocks(rows, workspace, [&](int64_t first, int64_t count, Workspace& scratch) {
    Workspace::Scope scope(scratch);
    float* normed = scope.Floats(count * width_);
    float* hidden = scope.Floats(count * hidden_stride_);
    float* block = x + first * width_;
    norm_.Run(block, count, normed);
    up_.Run(normed, width_, count, hidden, hidden_stride_, scratch);
    for (int64_t row = 0; row < count; ++row) Gelu(hidden + row * hidden_stride_, up_.out());
    down_.Run(hidden, hidden_stride_, count, block, width_, scratch);
  });
}

}  // namespace tutti
