#pragma once

#include <cstddef>
#include <cstdint>

#include "nn/quantise.h"
#include "tutti/compute_type.h"

// The inner loops of PanelProduct, for x86-64 CPUs with AVX-512.
//
// Numbers are taken in words of 32 bits along the depth of the product: one f32, two bf16 or four 8-bit ones. A panel
// holds the weights of kPanelColumns outputs, word by word: [words][kPanelColumns] words, zeros beyond the layer's
// outputs and inputs.
namespace tutti {

inline constexpr int64_t kWordBytes = 4;
inline constexpr int64_t kPanelColumns = 32;
inline constexpr int64_t kDepthBytes = 64;

struct PanelOperands {
  // Rows of whole words, f32, bf16 or u8, x_stride bytes apart; u8 and bf16 ones go on with zeros up to a multiple of
  // kDepthBytes.
  const std::byte* x = nullptr;
  int64_t x_stride = 0;
  int64_t rows = 0;
  int64_t words = 0;  // of each row
  const std::byte* panels = nullptr;
  int64_t out = 0;
  // Of every panel's column, also those beyond `out`.
  const float* bias = nullptr;
  const float* column_scales = nullptr;  // int8 only, as in ColumnScales
  const float* column_sums = nullptr;
  const RowScale* row_scales = nullptr;  // int8 only
  Combine combine = Combine::kStore;
  float* y = nullptr;  // [rows, out], rows y_stride floats apart
  int64_t y_stride = 0;
};

// y = Combine(x·Wᵀ + bias); int8 ends as DequantiseRows does, to the last bit. A row's result depends on no other row.
using PanelKernel = void (*)(const PanelOperands&);

// Whether this CPU, within ONEDNN_MAX_CPU_ISA, has the instructions for products of this type.
bool HasPanelKernel(ComputeType type);
// The fastest kernel for them; null where there is none. Where the CPU has AMX, asks the system for its use.
PanelKernel FindPanelKernel(ComputeType type);

// Rows that are best multiplied together on this CPU, at most.
int64_t PanelBlockRows();

}  // namespace tutti
