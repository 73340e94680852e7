#include "nn/weight_panels.h"

#include <cstring>
#include <numeric>

namespace tutti {
namespace {

constexpr int64_t kColumns = kStoredPanelColumns;
constexpr int64_t kWord = kStoredPanelWord;

// body(place of a word in panels, place in rows) over a whole matrix, in the order of the panels.
template <typename Body>
void ForEachWord(int64_t out, int64_t in, Body body) {
  int64_t place = 0;
  for (int64_t o = 0; o < out; o += kColumns) {
    for (int64_t i = 0; i < in; i += kWord) {
      for (int64_t column = 0; column < kColumns; ++column, place += kWord) body(place, (o + column) * in + i);
    }
  }
}

}  // namespace

void PanelsFromRows(const int8_t* rows, int64_t out, int64_t in, int8_t* panels) {
  ForEachWord(out, in, [=](int64_t place, int64_t row) { std::memcpy(panels + place, rows + row, kWord); });
}

void RowsFromPanels(const int8_t* panels, int64_t out, int64_t in, int8_t* rows) {
  ForEachWord(out, in, [=](int64_t place, int64_t row) { std::memcpy(rows + row, panels + place, kWord); });
}

std::vector<float> SumsOfRows(const WeightMatrix& weights, int64_t out, int64_t in) {
  std::vector<float> sums(static_cast<size_t>(out));
  const auto* q = static_cast<const int8_t*>(weights.data);
  if (weights.order == WeightOrder::kRows) {
    for (float& sum : sums) {
      sum = static_cast<float>(std::accumulate(q, q + in, 0));
      q += in;
    }
    return sums;
  }
  for (int64_t o = 0; o < out; o += kColumns) {
    int32_t totals[kColumns] = {};
    for (int64_t i = 0; i < in; i += kWord, q += kColumns * kWord) {
      // The bytes of a word are brought to its top and back with their signs: the compiler makes vectors of this.
      uint32_t words[kColumns];
      std::memcpy(words, q, sizeof(words));
      for (int64_t column = 0; column < kColumns; ++column) {
        const uint32_t word = words[column];
        totals[column] += (static_cast<int32_t>(word << 24) >> 24) + (static_cast<int32_t>(word << 16) >> 24) +
                          (static_cast<int32_t>(word << 8) >> 24) + (static_cast<int32_t>(word) >> 24);
      }
    }
    for (int64_t column = 0; column < kColumns; ++column) {
      sums[static_cast<size_t>(o + column)] = static_cast<float>(totals[column]);
    }
  }
  return sums;
}

}  // namespace tutti
