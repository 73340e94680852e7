#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "tutti/search_options.h"

namespace tutti {

// Every field of SearchOptions as an option under faster-whisper's name, with dashes.
class SearchFlags {
 public:
  // Keeps a pointer to this.
  void AddTo(CLI::App& app);

  const SearchOptions& options() const { return options_; }

 private:
  // An option whose values have names, the first of which is the default.
  void AddChoice(CLI::App& app, const char* name, const std::vector<std::string>& values, const char* help);

  SearchOptions options_;
};

}  // namespace tutti
