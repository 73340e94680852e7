#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/batch_flags.h"
#include "cli/default_models.h"
#include "cli/isolation_flags.h"
#include "cli/job_flags.h"
#include "cli/search_flags.h"
#include "cli/vad_flags.h"

namespace tutti {

// tutti transcribe: speech in recordings → text. Define adds it to the command line and keeps a pointer to this.
class TranscribeCommand {
 public:
  CLI::App* Define(CLI::App& app);
  int Run() const;

 private:
  BatchFlags batch_;
  SearchFlags search_;
  VadFlags vad_flags_;
  IsolationFlags isolation_;
  JobFlags job_flags_;
  std::string model_ = kDefaultModel;
  std::string vad_ = kDefaultVad;
  std::string compute_type_ = "auto";
  int decode_threads_ = 0;
  bool pin_ = false;
  bool latency_ = false;
  double batch_seconds_ = 60;
  double queue_seconds_ = 600;
};

}  // namespace tutti
