#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/model_store_command.h"

namespace tutti {

// tutti models list|pull|info|verify|remove|convert: which models have names, how they get here, what is in one, and
// one as a single file. Define adds it to the command line and keeps a pointer to this.
class ModelsCommand {
 public:
  CLI::App* Define(CLI::App& app);
  int Run() const;

 private:
  int List() const;
  int Info() const;
  int Convert() const;

  ModelStoreCommand store_;
  CLI::App *list_ = nullptr, *convert_ = nullptr;
  bool json_ = false;
  std::string model_;
  std::string out_;
  std::string compute_type_ = "int8";
  bool overwrite_ = false;
};

}  // namespace tutti
