#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

namespace tutti {

// tutti serve: the service. Define adds it to the command line and keeps a pointer to this.
class ServeCommand {
 public:
  CLI::App* Define(CLI::App& app);
  int Run() const;

 private:
  std::string config_;
  bool print_config_ = false;
  std::map<std::string, std::vector<std::string>> flags_;  // as given, by ServeSetting::flag()
};

}  // namespace tutti
