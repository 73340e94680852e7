#pragma once

#include <cstdint>

#include "models/hypothesis.h"
#include "nn/cross_attention.h"
#include "nn/workspace.h"
#include "tutti/search_options.h"

namespace tutti {

class Whisper;

// Divides what was found in a window at the times among its ids, which leave them, and finds the times of its words
// where the options want them. `memory` is the window's, of which `frames` of features are speech; the hypothesis has
// its language.
void AddTimes(const Whisper& model, const CrossMemory& memory, int64_t frames, const SearchOptions& options,
              Workspace& workspace, Hypothesis& hypothesis);

}  // namespace tutti
