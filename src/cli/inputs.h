#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tutti {

// One recording that the user asked for.
struct Input {
  std::string path;  // as given or found; "-" is standard input
  // The path below what the user named: the file's name, or its place in the folder given. Output files keep it.
  std::string below;
  int64_t bytes = 0;    // of the file, for the estimate of the time left; 0 when not known
  absl::Status status;  // not OK: the argument names no recording, and why
};

// Recordings that the arguments name, in their order, as often as they name them.
//
// An argument is a file, a folder (every file with a media extension below it, sorted), a glob, `-`, or `@list` with
// one such path a line. What names nothing becomes an Input with an error, so that the others can finish.
// InvalidArgument when `-` is named twice.
absl::StatusOr<std::vector<Input>> ExpandInputs(std::span<const std::string> arguments);

// Whether a folder's search takes the file: ".wav", ".mp3", …, in any case.
bool HasMediaExtension(std::string_view path);

}  // namespace tutti
