#include "models/cif.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "nn/ops.h"

namespace tutti {
namespace {

// The convolution's kernel [out, in, taps] as the weight of a linear layer over gathered rows: [out, taps · in].
std::vector<float> TapMajor(const Weight& weight, int64_t width, int64_t taps) {
  std::vector<float> major(weight.size());
  for (int64_t o = 0; o < width; ++o) {
    for (int64_t c = 0; c < width; ++c) {
      for (int64_t j = 0; j < taps; ++j) {
        major[static_cast<size_t>((o * taps + j) * width + c)] = weight.data()[(o * width + c) * taps + j];
      }
    }
  }
  return major;
}

}  // namespace

int64_t CountTokens(std::span<const float> alphas, double threshold) {
  double integral = 0, sum = 0;
  int64_t fires = 0;
  for (const float alpha : alphas) {
    sum += alpha;
    integral += alpha;
    if (integral >= threshold) {
      integral -= 1;
      ++fires;
    }
  }
  if (sum >= static_cast<double>(fires)) return fires;
  return sum >= 1 ? static_cast<int64_t>(sum) : 0;
}

void IntegrateAndFire(const float* hidden, int64_t rows, int64_t width, std::span<const float> alphas, double threshold,
                      int64_t tokens, float* embeddings) {
  std::fill(embeddings, embeddings + tokens * width, 0.0F);
  double integral = 0;
  int64_t token = 0;
  for (size_t t = 0; t < alphas.size() && token < tokens; ++t) {
    const float* row = static_cast<int64_t>(t) < rows ? hidden + static_cast<int64_t>(t) * width : nullptr;
    const double rest = 1 - integral;
    integral += alphas[t];
    const bool fires = integral >= threshold;
    float* embedding = embeddings + token * width;
    if (row != nullptr) Axpy(fires ? static_cast<float>(rest) : alphas[t], row, width, embedding);
    if (!fires) continue;
    integral -= 1;
    ++token;
    if (row != nullptr && token < tokens) Axpy(static_cast<float>(alphas[t] - rest), row, width, embedding + width);
  }
}

absl::StatusOr<CifOptions> CifOptions::FromConfig(const Config& config, int64_t width) {
  CifOptions options;
  options.width = width;
  TUTTI_ASSIGN_OR_RETURN(const std::string name, config.GetString("predictor", ""));
  if (name != "CifPredictor" && name != "CifPredictorV2") {
    return Unimplemented("{}: predictor is {}, expected CifPredictor or CifPredictorV2", config.source_name(), name);
  }
  options.version = name == "CifPredictor" ? 1 : 2;
  TUTTI_ASSIGN_OR_RETURN(const int64_t idim, config.GetInt("predictor_conf.idim", width));
  if (idim != width) {
    return InvalidArgument("{}: predictor_conf.idim is {}, but the encoder's width is {}", config.source_name(), idim,
                           width);
  }
  TUTTI_ASSIGN_OR_RETURN(options.left, config.GetIntBetween("predictor_conf.l_order", 1, 0, 16));
  TUTTI_ASSIGN_OR_RETURN(options.right, config.GetIntBetween("predictor_conf.r_order", 1, 0, 16));
  TUTTI_ASSIGN_OR_RETURN(options.tail_threshold, config.GetDouble("predictor_conf.tail_threshold", 0.45));
  TUTTI_ASSIGN_OR_RETURN(options.smooth_factor, config.GetDouble("predictor_conf.smooth_factor", 1.0));
  TUTTI_ASSIGN_OR_RETURN(options.noise_threshold, config.GetDouble("predictor_conf.noise_threshold", 0.0));
  // Version 2 fires where the sum passes an integer, whatever the configured threshold.
  if (options.version == 1) {
    TUTTI_ASSIGN_OR_RETURN(options.threshold, config.GetDouble("predictor_conf.threshold", 1.0));
  }
  return options;
}

absl::StatusOr<CifPredictor> CifPredictor::Load(const WeightSource& source, const CifOptions& options) {
  CifPredictor predictor(options);
  const int64_t width = options.width, taps = options.left + options.right + 1;
  TUTTI_ASSIGN_OR_RETURN(const Weight bias, source.Get("predictor.cif_conv1d.bias", {width}));
  if (options.version == 1) {
    TUTTI_ASSIGN_OR_RETURN(predictor.depthwise_,
                           Fsmn::Load(source, "predictor.cif_conv1d", {width, taps, options.left}));
    predictor.depthwise_bias_ = bias.Copy();
  } else {
    TUTTI_ASSIGN_OR_RETURN(const Weight kernel, source.Get("predictor.cif_conv1d.weight", {width, width, taps}));
    TUTTI_ASSIGN_OR_RETURN(predictor.full_, Linear::Create(TapMajor(kernel, width, taps).data(), bias.data(), width,
                                                           taps * width, {.relu = true}));
  }
  TUTTI_ASSIGN_OR_RETURN(const Weight output, source.Get("predictor.cif_output.weight", {1, width}));
  TUTTI_ASSIGN_OR_RETURN(const Weight output_bias, source.Get("predictor.cif_output.bias", {1}));
  predictor.output_ = output.Copy();
  predictor.output_bias_ = output_bias.data()[0];
  return predictor;
}

void CifPredictor::Convolve(const RaggedBatch& encoded, Workspace& workspace, float* y) const {
  const int64_t rows = encoded.rows(), width = options_.width;
  if (options_.version == 1) {
    for (int64_t row = 0; row < rows; ++row) std::ranges::copy(depthwise_bias_, y + row * width);
    depthwise_.Run(encoded.data, width, encoded.offsets, true, y);
    Relu(y, rows * width);
    return;
  }
  const int64_t taps = options_.left + options_.right + 1;
  ForRowBlocks(rows, workspace, [&](int64_t first, int64_t count, Workspace& scratch) {
    Workspace::Scope scope(scratch);
    float* gathered = scope.Floats(count * taps * width);
    float* to = gathered;
    const auto* end = std::upper_bound(encoded.offsets.data(), encoded.offsets.data() + encoded.offsets.size(), first);
    for (int64_t row = first; row < first + count; ++row) {  // in the segment that ends at *end
      while (row == *end) ++end;
      for (int64_t from = row - options_.left; from <= row + options_.right; ++from, to += width) {
        if (from < end[-1] || from >= *end) {
          std::fill(to, to + width, 0.0F);
        } else {
          std::copy(encoded.data + from * width, encoded.data + (from + 1) * width, to);
        }
      }
    }
    full_.Run(gathered, count, y + first * width, scratch);
  });
}

void CifPredictor::Alphas(const RaggedBatch& encoded, Workspace& workspace, float* alphas) const {
  const int64_t width = options_.width;
  Workspace::Scope scope(workspace);
  float* convolved = scope.Floats(encoded.rows() * width);
  if (encoded.rows() > 0) Convolve(encoded, workspace, convolved);
  for (int64_t i = 0; i < encoded.segments(); ++i) {
    for (int64_t t = 0; t < encoded.rows(i); ++t, convolved += width) {
      double logit = output_bias_;
      for (int64_t c = 0; c < width; ++c) logit += static_cast<double>(output_[static_cast<size_t>(c)]) * convolved[c];
      const double alpha = options_.smooth_factor / (1 + std::exp(-logit)) - options_.noise_threshold;
      *alphas++ = static_cast<float>(std::max(alpha, 0.0));
    }
    *alphas++ = encoded.rows(i) > 0 ? static_cast<float>(std::max(options_.tail_threshold, 0.0)) : 0.0F;
  }
}

std::span<const float> CifPredictor::AlphasOf(const RaggedBatch& encoded, const float* alphas, int64_t segment) {
  if (encoded.rows(segment) == 0) return {};
  return {alphas + encoded.offsets[static_cast<size_t>(segment)] + segment,
          static_cast<size_t>(encoded.rows(segment) + 1)};
}

}  // namespace tutti
