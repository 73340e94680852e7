#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/inputs.h"

namespace tutti {

// The output file of each input, relative to the output folder and without the format's extension; no two are the same.
//
// A recording keeps its place below the folder the user named: calls/2024/a.wav → 2024/a. Where names would collide,
// all of those keep their extension: a.wav and a.mp3; where that is not enough, more of their path: x/a.wav and y/a.wav
// → x/a and y/a. A recording named twice gets a number.
std::vector<std::string> OutputNames(std::span<const Input> inputs);

}  // namespace tutti
