#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tutti/vad.h"

namespace tutti {

// FunASR's merge_vad (spec §12.2 step 1): joins neighbouring segments, silences included, up to max_length_ms.
std::vector<VadSegment> MergeVad(std::span<const VadSegment> segments, int64_t max_length_ms);

}  // namespace tutti
