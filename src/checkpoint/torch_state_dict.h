#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

#include "checkpoint/pickle.h"
#include "checkpoint/tensor_table.h"

namespace tutti {

// The globals a torch checkpoint of plain tensors needs, and no other.
std::span<const std::string_view> TorchGlobals();

// A storage as a pickle's persistent id names it: ('storage', torch.FloatStorage, key, device, numel).
struct TorchStorage {
  DType dtype = DType::kF32;
  std::string_view key;
  int64_t numel = 0;
};
absl::StatusOr<TorchStorage> ReadTorchStorage(const PickleValue& persistent_id);

// The bytes of a storage, at least numel elements or an error.
using TorchStorageBytes = std::function<absl::StatusOr<std::span<const std::byte>>(const TorchStorage&)>;

// The tensors of a state dict, unwrapped from {"state_dict": …} and relieved of `module.` prefixes, and the `dims` that
// stand beside it. A tensor whose
// strides are not those of a dense row-major one is copied into such; all copies together take at most `copy_limit`
// bytes.
absl::StatusOr<TensorTable> ReadTorchStateDict(const PickleValue& root, const TorchStorageBytes& storage_bytes,
                                               int64_t copy_limit);

}  // namespace tutti
