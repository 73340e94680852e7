// GGUF files: whatever a file claims, container and package refuse it or hand out views within it.
#include "checkpoint/gguf.h"
#include "checkpoint/gguf_package.h"
#include "touch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(data),
                                     reinterpret_cast<const std::byte*>(data) + size);
  auto contents = tutti::ParseGguf(bytes);
  if (!contents.ok()) return 0;
  tutti::Touch(tutti::Checkpoint("fuzz", std::move(contents->tensors), {}));
  const auto package = tutti::ParseGgufPackage("fuzz", bytes);
  if (package.ok()) tutti::Touch(*package->weights);
  return 0;
}
