// Torch files of both kinds: whatever a file claims, the readers refuse it or hand out views within it.
#include "touch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // The first byte chooses the reader: mutations would seldom keep a zip's magic.
  if (size == 0) return 0;
  const std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(data) + 1,
                                     reinterpret_cast<const std::byte*>(data) + size);
  tutti::Touch(data[0] == 'L' ? tutti::ReadTorchLegacy(bytes) : tutti::ReadTorchZip(bytes));
  return 0;
}
