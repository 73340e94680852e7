#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "tutti/vad.h"

namespace tutti {

// Every field of VadOptions as an option under FunASR's name, with dashes. What is not given stays with the model's own
// default.
class VadFlags {
 public:
  // `prefix` is "" or "vad-". Keeps a pointer to this.
  void AddTo(CLI::App& app, const std::string& prefix);

  bool any() const { return !changes_.empty(); }
  VadOptions Apply(VadOptions options) const;

 private:
  template <typename T>
  void Add(CLI::App& app, const std::string& name, T VadOptions::*field, const std::string& value, std::string help);

  std::vector<std::function<void(VadOptions&)>> changes_;  // in the order given
};

}  // namespace tutti
