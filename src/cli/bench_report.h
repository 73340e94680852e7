#pragma once

#include <string>

#include "cli/bench_parts.h"

namespace tutti {

// With the machine, the instruction sets and the peak memory.
std::string RenderBench(const BenchResult& result, const BenchOptions& options, bool json);

}  // namespace tutti
