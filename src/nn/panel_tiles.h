#pragma once

#include "nn/panel_kernel.h"

// PanelProduct's inner loops for x86-64 CPUs with AMX, on the same panels as those for AVX-512 and with the same bits
// for int8.
namespace tutti {

// Only where DetectProductIsa().amx and amx::Allowed().
void RunInt8Tiles(const PanelOperands& operands);
void RunBf16Tiles(const PanelOperands& operands);

}  // namespace tutti
