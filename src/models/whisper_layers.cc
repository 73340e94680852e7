#include "models/whisper_layers.h"

#include <fmt/format.h>

#include <string>

#include "nn/ops.h"

namespace tutti {

absl::StatusOr<Linear> LoadWhisperLinear(const WeightSource& source, std::string_view name, LinearShape shape,
                                         LinearOptions options) {
  const std::string bias = shape.bias ? fmt::format("{}/bias", name) : "";
  return LoadLinearOf(source, fmt::format("{}/weight", name), bias, shape.out, shape.in, options);
}

absl::StatusOr<Norm> LoadWhisperNorm(const WeightSource& source, std::string_view name, int64_t width) {
  return Norm::LoadOf(source, fmt::format("{}/gamma", name), fmt::format("{}/beta", name), width, kWhisperNormEps);
}

absl::StatusOr<WhisperFeedForward> WhisperFeedForward::Load(const WeightSource& source, std::string_view name,
                                                            const WhisperDims& dims) {
  const auto in_block = [name](std::string_view part) { return fmt::format("{}/{}", name, part); };
  const ComputeType type = dims.compute_type;
  WhisperFeedForward block;
  block.width_ = dims.width;
  block.hidden_stride_ = Linear::RowStride(type, dims.hidden);
  TUTTI_ASSIGN_OR_RETURN(block.norm_, LoadWhisperNorm(source, in_block("layer_norm"), dims.width));
  TUTTI_ASSIGN_OR_RETURN(block.up_,
                         LoadWhisperLinear(source, in_block("linear_0"), {dims.hidden, dims.width}, {.type = type}));
  TUTTI_ASSIGN_OR_RETURN(block.down_, LoadWhisperLinear(source, in_block("linear_1"), {dims.width, dims.hidden},
                                                        {.accumulate = true, .type = type}));
  return block;
}

void WhisperFeedForward::Run(float* x, int64_t rows, Workspace& workspace) const {
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
