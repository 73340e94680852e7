#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/batch_flags.h"
#include "cli/default_models.h"
#include "cli/isolation_flags.h"
#include "cli/vad_flags.h"

namespace tutti {

// tutti vad: where speech is in recordings. Define adds it to the command line and keeps a pointer to this.
class VadCommand {
 public:
  CLI::App* Define(CLI::App& app);
  int Run() const;

 private:
  BatchFlags batch_;
  VadFlags vad_flags_;
  IsolationFlags isolation_;
  std::string model_ = kDefaultVad;
  bool merge_ = false;
  double merge_length_s_ = 15;
};

}  // namespace tutti
