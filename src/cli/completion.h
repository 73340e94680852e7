#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tutti {

// A bash script that completes commands, options, and the values an option may have; from the definitions of the
// command line.
std::string BashCompletion(const CLI::App& app);

}  // namespace tutti
