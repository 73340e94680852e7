#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "models/weight_source.h"
#include "nn/linear.h"
#include "nn/workspace.h"

namespace tutti {

// A network's last layer: a row of the network to the log-probabilities of the vocabulary. f32 in every compute type.
//
// Immutable after Load; safe from any thread, each with its own Workspace.
class OutputLayer {
 public:
  OutputLayer() = default;  // empty: assign a loaded one before use
  // `name`.weight [vocabulary, width] and `name`.bias.
  static absl::StatusOr<OutputLayer> Load(const WeightSource& source, std::string_view name, int64_t vocabulary,
                                          int64_t width);

  // x [rows, width] → log_probs [rows, vocabulary].
  void LogProbs(const float* x, int64_t rows, Workspace& workspace, float* log_probs) const;

  // The most probable id of each row and its log-probability, without ever holding all of LogProbs.
  void Greedy(const float* x, int64_t rows, Workspace& workspace, int32_t* ids, float* scores) const;

 private:
  Linear linear_;
};

}  // namespace tutti
