#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "cli/batch_run.h"
#include "pool/supervisor.h"
#include "service/batch_journal.h"

namespace tutti {

// What --summary writes (docs/cli.md): one JSON object.
struct RunSummary {
  std::string command;  // "transcribe"
  std::string model;    // directories; empty: none
  std::string vad;
  std::string compute_type;
  int threads = 0;
  int64_t peak_memory_bytes = 0;
  double load_seconds = 0;  // until the models were ready
  std::string job = {};     // its journal; empty: none
  BatchJournal::Counts job_counts = {};
  std::optional<PoolStats> pool = {};  // with --isolation process
};

std::string RenderSummary(const RunSummary& run, const BatchResult& result);

// Shows the end, writes the summary file (none when `file` is empty) and says how the process is to end.
int Conclude(const RunSummary& run, const BatchResult& result, const std::string& file, ProgressDisplay& display);

}  // namespace tutti
