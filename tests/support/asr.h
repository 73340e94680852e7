#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/model_package.h"
#include "models/paraformer.h"
#include "nn/ragged_batch.h"

namespace tutti::testing {

inline const std::string kFixtures = TUTTI_SOURCE_DIR "/tests/data/fixtures/";

inline nlohmann::json ReadJson(const std::string& path) {
  std::ifstream file(path);
  auto json = nlohmann::json::parse(file, nullptr, false);
  if (json.is_discarded()) ADD_FAILURE() << path << ": not JSON";
  return json;
}

// The model in a directory; a test failure and null otherwise.
inline std::shared_ptr<const Paraformer> LoadParaformer(const std::string& directory) {
  auto package = ModelPackage::Open(directory);
  if (!package.ok()) {
    ADD_FAILURE() << package.status();
    return nullptr;
  }
  auto model = Paraformer::Load(*package);
  if (!model.ok()) {
    ADD_FAILURE() << model.status();
    return nullptr;
  }
  return *model;
}

// Largest difference relative to the largest expected value.
inline double RelativeError(std::span<const float> found, std::span<const float> expected) {
  if (found.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double difference = 0, largest = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    difference = std::max(difference, std::abs(static_cast<double>(found[i]) - expected[i]));
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    if (!std::isfinite(found[i])) return std::numeric_limits<double>::infinity();
  }
  return difference / largest;
}

// What each stage of a Paraformer makes of a batch.
struct ParaformerStages {
  std::vector<float> encoded;    // [rows, width]
  std::vector<float> alphas;     // as CifPredictor::Alphas lays them out
  std::vector<int64_t> offsets;  // of the tokens
  std::vector<float> acoustic;   // [tokens, width]
  std::vector<float> log_probs;  // [tokens, vocabulary]

  ParaformerStages(const Paraformer& model, const RaggedBatch& features, Workspace& workspace) {
    const int64_t rows = features.rows(), width = model.encoder().options().width;
    encoded.resize(static_cast<size_t>(rows * width));
    model.encoder().Run(features, workspace, encoded.data());
    const RaggedBatch batch = {encoded.data(), width, features.offsets};
    alphas.resize(static_cast<size_t>(rows + features.segments()));
    model.predictor().Alphas(batch, workspace, alphas.data());
    offsets = {0};
    for (int64_t i = 0; i < features.segments(); ++i) {
      const auto of_segment = CifPredictor::AlphasOf(batch, alphas.data(), i);
      const int64_t first = offsets.back(), count = CountTokens(of_segment, 1.0);
      offsets.push_back(first + count);
      acoustic.resize(static_cast<size_t>((first + count) * width));
      IntegrateAndFire(batch.segment(i), batch.rows(i), width, of_segment, 1.0, count, acoustic.data() + first * width);
    }
    std::vector<float> decoded(acoustic.size());
    model.decoder().Run({acoustic.data(), width, offsets}, batch, workspace, decoded.data());
    log_probs.resize(static_cast<size_t>(offsets.back() * model.decoder().options().vocabulary));
    model.decoder().output().LogProbs(decoded.data(), offsets.back(), workspace, log_probs.data());
  }
};

}  // namespace tutti::testing
