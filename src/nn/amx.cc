#if defined(__x86_64__)

#include "nn/amx.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace tutti::amx {

bool Allowed() {
  // The answer stays what it was, and a sandboxed process must not ask again.
  static const bool allowed = [] {
    constexpr long kArchReqXcompPerm = 0x1023, kTileData = 18;
    return syscall(SYS_arch_prctl, kArchReqXcompPerm, kTileData) == 0;
  }();
  return allowed;
}

}  // namespace tutti::amx

#endif
