// safetensors files: whatever a file claims, the reader refuses it or hands out views within it.
#include "touch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(data),
                                     reinterpret_cast<const std::byte*>(data) + size);
  tutti::Touch(tutti::ReadSafetensors(bytes));
  return 0;
}
