#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace tutti {

// tutti job status|retry|export: looks at the journal of `tutti transcribe --job`. Define adds it to the command line
// and keeps a pointer to this.
class JobCommand {
 public:
  CLI::App* Define(CLI::App& app);
  int Run() const;

 private:
  int Status() const;
  int Retry() const;
  int Export() const;

  CLI::App *status_ = nullptr, *retry_ = nullptr;
  std::string file_;
  std::vector<std::string> paths_;
  std::string format_;
  bool json_ = false;
};

}  // namespace tutti
