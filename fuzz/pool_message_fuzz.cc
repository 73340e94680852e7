// What processes tell each other: any bytes give a message or an error, and a message survives the way there.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "pool/message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (const auto message = tutti::DecodeMessage(bytes); message.ok()) {
    const auto again = tutti::EncodeMessage(*message);
    if (!again.ok()) std::abort();
    const auto twice = tutti::DecodeMessage(std::as_bytes(std::span(*again)));
    if (!twice.ok() || *tutti::EncodeMessage(*twice) != *again) std::abort();
  }
  if (const auto segment = tutti::DecodeSegment(bytes); segment.ok()) {
    const std::string again = tutti::EncodeSegment(*segment);
    if (!tutti::DecodeSegment(std::as_bytes(std::span(again))).ok()) std::abort();
  }
  bool decoded = false;
  const auto result = tutti::DecodeResult(bytes, &decoded);
  if (!decoded && result.ok()) std::abort();
  return 0;
}
