#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "checkpoint/tensor.h"

namespace tutti {

// What a reader of one file format returns: views into the file, or into `copies` where the file's layout is not dense
// row-major.
struct TensorTable {
  TensorMap tensors;
  std::vector<std::shared_ptr<const void>> copies;
  IntegerMap dims = {};  // Checkpoint::dims
};

// The sizes' product; nothing when a size is negative or the product exceeds 2^48, which no file can hold.
inline std::optional<int64_t> CheckedProduct(std::span<const int64_t> shape) {
  constexpr int64_t kLimit = int64_t{1} << 48;
  int64_t product = 1;
  for (const int64_t size : shape) {
    if (size < 0) return std::nullopt;
    if (size != 0 && product > kLimit / size) return std::nullopt;
    product *= size;
  }
  return product;
}

// Readers. Views point into `bytes`. Errors do not name the file: Checkpoint::Parse does.
absl::StatusOr<TensorTable> ReadTorchZip(std::span<const std::byte> bytes);
absl::StatusOr<TensorTable> ReadTorchLegacy(std::span<const std::byte> bytes);
absl::StatusOr<TensorTable> ReadOnnx(std::span<const std::byte> bytes);
// A Whisper model of CTranslate2 (whisper spec §2), its variables under their own names, aliases among them. A
// quantised matrix has its scales beside it (kScalesSuffix) in place of its `…_scale`.
absl::StatusOr<TensorTable> ReadCtranslate2(std::span<const std::byte> bytes);
// Hugging Face's safetensors, one file. It begins with a length, which looks like the beginning of any other format.
bool LooksLikeSafetensors(std::span<const std::byte> bytes);
absl::StatusOr<TensorTable> ReadSafetensors(std::span<const std::byte> bytes);

}  // namespace tutti
