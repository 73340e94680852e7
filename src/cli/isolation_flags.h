#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "pool/forker.h"
#include "pool/process_pool.h"
#include "tutti/recognizer.h"

namespace tutti {

// What a process may take, in the units that people give; 0: no limit, or never.
struct ProcessLimits {
  double memory_mb = 0;  // beyond the models
  int64_t recycle_after = 0;
  double recycle_minutes = 0;
  double recycle_memory_mb = 0;

  void ApplyTo(PoolOptions& options) const;
};

// Who does the work: threads of this process, or processes.
class IsolationFlags {
 public:
  // Keeps a pointer to this.
  void AddTo(CLI::App& app);

  // InvalidArgument for a flag that the kind of isolation has no use for.
  absl::Status Check() const;
  bool by_processes() const { return isolation_ == "process"; }

  struct Made {
    std::unique_ptr<Forker> forker;  // of the pool; null with threads
    std::unique_ptr<Recognizer> recognizer;
    const ProcessPool* pool = nullptr;  // the recognizer, when it is one
  };
  // Shares the cores out when `options` leaves threads open. With processes no thread may run yet.
  absl::StatusOr<Made> Create(RecognizerOptions options) const;

  // What there is to say of a pool at the end; "" when nothing happened.
  static std::string Report(const Made& made);

 private:
  std::string isolation_ = "thread";
  int processes_ = 0;
  int retries_ = -1;
  ProcessLimits limits_;
};

}  // namespace tutti
