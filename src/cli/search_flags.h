#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "tutti/search_options.h"

namespace tutti {

// Every field of SearchOptions as an option under faster-whisper's name, with dashes.
class SearchFlags {
 public:
  // Keeps a pointer to this.
  void AddTo(CLI::App& app);

  SearchOptions options() const;

 private:
  SearchOptions options_;
  std::string task_ = "transcribe";
};

}  // namespace tutti
