#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/status.h"

namespace tutti {

// tutti keys add|revoke|list: the API keys of a service. Define adds it to the command line and keeps a pointer to
// this.
class KeysCommand {
 public:
  CLI::App* Define(CLI::App& app);
  int Run() const;

 private:
  int Add(const std::string& file) const;
  int Revoke(const std::string& file) const;
  int List(const std::string& file) const;

  CLI::App *add_ = nullptr, *revoke_ = nullptr;
  std::string tenant_;  // or key id
  std::string file_;
  bool json_ = false;
};

}  // namespace tutti
