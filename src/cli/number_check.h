#pragma once

#include <CLI/CLI.hpp>

namespace tutti {

// Checks of options that take a number. CLI11's own let nan through, and tell the largest double where there is no
// upper limit.
CLI::Validator NumberAbove(double low);
CLI::Validator NumberBetween(double least, double most);

}  // namespace tutti
