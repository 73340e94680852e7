#pragma once

#include <cstdint>
#include <vector>

#include "nn/weight_matrix.h"

// int8 weights of files in the order of PanelProduct's panels, so that it uses them where they are mapped. The matrix
// [out, in] lies in panels of kStoredPanelColumns outputs, and a panel word by word: four inputs of each of its
// outputs, then the next four.
namespace tutti {

inline constexpr int64_t kStoredPanelColumns = 32;
inline constexpr int64_t kStoredPanelWord = 4;

// Only a matrix that panels and words divide has this order.
constexpr bool FitsPanels(int64_t out, int64_t in) {
  return out % kStoredPanelColumns == 0 && in % kStoredPanelWord == 0;
}

// Both orders have out · in bytes; FitsPanels(out, in).
void PanelsFromRows(const int8_t* rows, int64_t out, int64_t in, int8_t* panels);
void RowsFromPanels(const int8_t* panels, int64_t out, int64_t in, int8_t* rows);

// The sum of each output's int8 weights, in either order; whole numbers.
std::vector<float> SumsOfRows(const WeightMatrix& weights, int64_t out, int64_t in);

}  // namespace tutti
