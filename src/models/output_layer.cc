#include "models/output_layer.h"

#include <algorithm>

#include "models/layers.h"
#include "nn/ops.h"

namespace tutti {
namespace {

// Rows whose log-probabilities Greedy holds at a time.
constexpr int64_t kRows = 64;

}  // namespace

absl::StatusOr<OutputLayer> OutputLayer::Load(const WeightSource& source, std::string_view name, int64_t vocabulary,
                                              int64_t width) {
  OutputLayer layer;
  TUTTI_ASSIGN_OR_RETURN(layer.linear_, LoadLinear(source, name, {vocabulary, width}));
  return layer;
}

void OutputLayer::LogProbs(const float* x, int64_t rows, Workspace& workspace, float* log_probs) const {
  if (rows == 0) return;
  ForRowBlocks(rows, workspace, [&](int64_t first, int64_t count, Workspace& scratch) {
    float* block = log_probs + first * linear_.out();
    linear_.Run(x + first * linear_.in(), count, block, scratch);
    LogSoftmax(block, count, linear_.out());
  });
}

void OutputLayer::Greedy(const float* x, int64_t rows, Workspace& workspace, int32_t* ids, float* scores) const {
  Workspace::Scope scope(workspace);
  const int64_t width = linear_.in(), vocabulary = linear_.out();
  float* log_probs = scope.Floats(std::min(rows, kRows) * vocabulary);
  for (int64_t first = 0; first < rows; first += kRows) {
    const int64_t count = std::min(kRows, rows - first);
    LogProbs(x + first * width, count, workspace, log_probs);
    for (int64_t row = 0; row < count; ++row) {
      const ArgMaxResult best = ArgMax(log_probs + row * vocabulary, vocabulary);
      ids[first + row] = static_cast<int32_t>(best.index);
      scores[first + row] = best.value;
    }
  }
}

}  // namespace tutti
