#include "models/whisper_align.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "nn/kv_pool.h"
#include "nn/token_ops.h"

namespace tutti {
namespace {

constexpr int64_t kMedianWidth = 7;
constexpr int64_t kLogitRows = 16;  // there at a time

// Each of `rows` rows of [rows, stride] becomes a distribution over its first `columns`; what it had behind them goes.
void Renormalise(float* x, int64_t rows, int64_t stride, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r, x += stride) {
    double sum = 0;
    for (int64_t c = 0; c < columns; ++c) sum += static_cast<double>(x[c]);
    for (int64_t c = 0; c < columns; ++c) x[c] = static_cast<float>(x[c] / std::max(sum, 1e-30));
  }
}

// Each column less its mean over the rows, in units of its deviation.
void Standardise(float* x, int64_t rows, int64_t stride, int64_t columns) {
  for (int64_t c = 0; c < columns; ++c) {
    double mean = 0, variance = 0;
    for (int64_t r = 0; r < rows; ++r) mean += static_cast<double>(x[r * stride + c]) / static_cast<double>(rows);
    for (int64_t r = 0; r < rows; ++r) {
      const double centred = static_cast<double>(x[r * stride + c]) - mean;
      variance += centred * centred / static_cast<double>(rows);
    }
    const double scale = variance > 0 ? 1 / std::sqrt(variance) : 0;
    for (int64_t r = 0; r < rows; ++r) {
      x[r * stride + c] = static_cast<float>((static_cast<double>(x[r * stride + c]) - mean) * scale);
    }
  }
}

// y += the median of the seven values about each of x [count], mirrored at both ends.
void AddMedians(const float* x, int64_t count, float* y) {
  constexpr int64_t kSide = kMedianWidth / 2;
  std::array<float, kMedianWidth> window;
  for (int64_t i = 0; i < count; ++i) {
    if (count <= kSide) {
      y[i] += x[i];
      continue;
    }
    for (int64_t j = -kSide; j <= kSide; ++j) {
      int64_t from = std::abs(i + j);
      if (from >= count) from = 2 * count - from - 2;
      window[static_cast<size_t>(j + kSide)] = x[from];
    }
    std::nth_element(window.begin(), window.begin() + kSide, window.end());
    y[i] += window[kSide];
  }
}

// The path from the first row and column of x [rows, columns] to the last whose sum is the largest.
std::vector<std::pair<int64_t, int64_t>> BestPath(const std::vector<float>& x, int64_t rows, int64_t columns) {
  enum Step : uint8_t { kBoth, kRow, kColumn };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const int64_t width = columns + 1;
  std::vector<float> cost(static_cast<size_t>((rows + 1) * width), kInfinity);
  std::vector<Step> steps(cost.size(), kBoth);
  const auto at = [width](int64_t row, int64_t column) { return static_cast<size_t>(row * width + column); };
  cost[0] = 0;
  for (int64_t column = 1; column <= columns; ++column) {
    for (int64_t row = 1; row <= rows; ++row) {
      const float both = cost[at(row - 1, column - 1)], by_row = cost[at(row - 1, column)],
                  by_column = cost[at(row, column - 1)];
      const Step step = both < by_row && both < by_column     ? kBoth
                        : by_row < both && by_row < by_column ? kRow
                                                              : kColumn;
      const float before = step == kBoth ? both : step == kRow ? by_row : by_column;
      cost[at(row, column)] = before - x[static_cast<size_t>((row - 1) * columns + column - 1)];
      steps[at(row, column)] = step;
    }
  }
  std::vector<std::pair<int64_t, int64_t>> path;
  for (int64_t row = rows, column = columns; row > 0 || column > 0;) {
    path.emplace_back(row - 1, column - 1);
    const Step step = row == 0 ? kColumn : column == 0 ? kRow : steps[at(row, column)];
    row -= step != kColumn ? 1 : 0;
    column -= step != kRow ? 1 : 0;
  }
  std::ranges::reverse(path);
  return path;
}

}  // namespace

WhisperAlignment AlignWhisper(const WhisperDecoder& decoder, const WhisperVocabulary& tokens,
                              std::span<const std::pair<int64_t, int64_t>> heads, const CrossMemory& memory,
                              std::span<const int32_t> start, std::span<const int32_t> text, int64_t frames,
                              Workspace& workspace) {
  WhisperAlignment alignment;
  const int64_t columns = std::min(frames / 2, memory.rows()), stride = memory.rows();
  if (text.empty() || columns == 0 || heads.empty()) return alignment;
  std::vector<int32_t> heard(start.begin(), start.end());
  heard.push_back(tokens.no_timestamps);
  heard.insert(heard.end(), text.begin(), text.end());
  heard.push_back(tokens.end);
  const auto rows = static_cast<int64_t>(heard.size()), words = static_cast<int64_t>(text.size()),
             first = static_cast<int64_t>(start.size()), width = decoder.dims().width,
             vocabulary = decoder.dims().vocabulary;
  Workspace::Scope scope(workspace);
  float* hidden = scope.Floats(rows * width);
  float* weights = scope.Floats(static_cast<int64_t>(heads.size()) * rows * stride);
  KvPool pool = decoder.MakePool(0);
  KvSequence cache(pool);
  const WhisperInput input = {&cache, &memory, heard};
  const WhisperProbe probe = {heads, weights};
  decoder.Run({&input, 1}, workspace, hidden, &probe);

  float* logits = scope.Floats(std::min(words, kLogitRows) * vocabulary);
  for (int64_t i = 0; i < words; i += kLogitRows) {
    const int64_t some = std::min(kLogitRows, words - i);
    decoder.Logits(hidden + (first + i) * width, some, workspace, logits);
    for (int64_t j = 0; j < some; ++j) {
      const float* row = logits + j * vocabulary;
      alignment.probs.push_back(std::exp(row[text[static_cast<size_t>(i + j)]] - LogSumExp(row, tokens.end)));
    }
  }

  std::vector<float> matrix(static_cast<size_t>((words + 1) * columns));
  for (size_t i = 0; i < heads.size(); ++i) {
    float* of_head = weights + static_cast<int64_t>(i) * rows * stride;
    Renormalise(of_head, rows, stride, columns);
    Standardise(of_head, rows, stride, columns);
    for (int64_t word = 0; word <= words; ++word) {
      AddMedians(of_head + (first + word) * stride, columns, matrix.data() + word * columns);
    }
  }
  for (float& value : matrix) value /= static_cast<float>(heads.size());
  alignment.path = BestPath(matrix, words + 1, columns);
  return alignment;
}

}  // namespace tutti
