#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tutti {

// tutti models list|info: which models have names, and what is in one. Define adds it to the command line and keeps a
// pointer to this.
class ModelsCommand {
 public:
  CLI::App* Define(CLI::App& app);
  int Run() const;

 private:
  int List() const;
  int Info() const;

  CLI::App* list_ = nullptr;
  bool json_ = false;
  std::string model_;
};

}  // namespace tutti
