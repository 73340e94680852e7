#pragma once

namespace tutti {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  // at least one input failed, or a model could not be loaded
inline constexpr int kExitUsage = 2;   // the command line has to be changed; nothing was done
inline constexpr int kExitInterrupted = 130;

}  // namespace tutti
