#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/bench_parts.h"

namespace tutti {

// tutti bench frontend|vad|encoder|asr|pipeline: how fast each part is here. Define adds it to the command line and
// keeps a pointer to this.
class BenchCommand {
 public:
  CLI::App* Define(CLI::App& app);
  int Run() const;

 private:
  struct Part {
    const CLI::App* command;
    absl::StatusOr<BenchResult> (*run)(const BenchOptions&);
    const char* default_model;
  };

  std::vector<Part> parts_;
  BenchOptions options_;
  std::string synthetic_;
  std::string lengths_;
  std::string vad_ = "fsmn-vad";
  std::string compute_type_ = "auto";
  bool json_ = false;
};

}  // namespace tutti
