#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tutti {

// tutti(1) in man(7) macros, from the definitions of the command line.
std::string ManPage(const CLI::App& app);

}  // namespace tutti
