#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/progress.h"

namespace tutti {

// The models that `tutti transcribe`, `vad` and `serve` take where none is named.
inline constexpr const char* kDefaultModel = "whisper-base";
inline constexpr const char* kDefaultVad = "fsmn-vad";

bool IsDefaultModel(std::string_view name);

// Fetches each of `names` that is a default model and nowhere on this machine, as `tutti models pull` does. Other names
// are left to ModelRegistry::Find, which says how to get what is missing. The error says what to do in its place.
//
// The download is done by a child process: libcurl starts threads, and a process pool can be forked only from a process
// without. So call this before there is any thread, and before signals are blocked: Ctrl-C ends both processes, and the
// next call goes on where the download was.
absl::Status FetchDefaultModels(const std::vector<std::string>& names, ProgressMode mode);

}  // namespace tutti
