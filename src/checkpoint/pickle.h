#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tutti {

// One value of a pickle. Calls are recorded, never made: whoever reads the tree decides what a call to
// `torch._utils._rebuild_tensor_v2` means. Values may refer to each other in cycles.
struct PickleValue {
  enum class Kind : uint8_t {
    kNone,
    kBool,          // number
    kInt,           // number
    kBytes,         // text: an integer of more than 64 bits, little-endian
    kFloat,         // its value is of no use here
    kText,          // text
    kTuple,         // items
    kList,          // items
    kDict,          // items: key, value, key, value, …
    kGlobal,        // text: module.name
    kCall,          // items: the function, the tuple of its arguments
    kPersistentId,  // items: the id
  };

  Kind kind = Kind::kNone;
  int64_t number = 0;
  std::string_view text;
  std::vector<PickleValue*> items;
};
std::string_view Name(PickleValue::Kind kind);

// A parsed pickle; its texts point into the bytes it was parsed from.
struct Pickle {
  std::deque<PickleValue> values;
  const PickleValue* root = nullptr;
  size_t size = 0;  // bytes up to and with the STOP
};

// Reads the protocol 2 subset that torch.save writes. A global that is not in `allowed` ("module.name") is refused with
// its name, so nothing a pickle could run ever runs.
absl::StatusOr<Pickle> ParsePickle(std::span<const std::byte> bytes, std::span<const std::string_view> allowed);

// The value of a text key; null when `dict` is no dict or has no such key.
const PickleValue* FindKey(const PickleValue& dict, std::string_view key);

}  // namespace tutti
