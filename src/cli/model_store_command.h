#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace tutti {

// tutti models pull|verify|remove: what the model cache holds. Define adds them to `tutti models` and keeps a pointer
// to this.
class ModelStoreCommand {
 public:
  void Define(CLI::App& models);
  bool parsed() const;
  int Run() const;

 private:
  int Pull() const;
  int Verify() const;
  int Remove() const;

  CLI::App *pull_ = nullptr, *verify_ = nullptr, *remove_ = nullptr;
  std::vector<std::string> names_;
};

}  // namespace tutti
