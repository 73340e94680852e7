#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tutti {

enum class DType { kF32, kF16, kBF16, kF64, kI64, kI32, kI8, kU8 };
std::string_view Name(DType dtype);
int64_t ByteSize(DType dtype);

// A dense row-major tensor somewhere in a mapped file. A view: the Checkpoint it came from keeps the bytes alive.
struct TensorView {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  const std::byte* data = nullptr;  // not necessarily aligned

  int64_t elements() const;
};

using TensorMap = std::map<std::string, TensorView, std::less<>>;

// The named tensors of one weights file (torch zip or ONNX initialisers), read through mmap: a tensor nobody asks for
// is never paged in. Immutable, safe from any thread.
class Checkpoint {
 public:
  // Chooses the reader by the file's first bytes. Errors name the file, the entry or field, and what was expected.
  // Wrapped state dicts ({"state_dict"|"model_state_dict"|"model": …}) are unwrapped, a `module.` prefix is removed.
  static absl::StatusOr<std::shared_ptr<const Checkpoint>> Open(const std::string& path);

  // The same for bytes already in memory: `owner` keeps them alive, `path` is for errors.
  static absl::StatusOr<std::shared_ptr<const Checkpoint>> Parse(std::string path, std::span<const std::byte> bytes,
                                                                 std::shared_ptr<const void> owner);

  // For readers and tests: `owners` keep the bytes behind the views alive.
  Checkpoint(std::string path, TensorMap tensors, std::vector<std::shared_ptr<const void>> owners);

  const std::string& path() const { return path_; }
  const TensorMap& tensors() const { return tensors_; }
  bool Has(std::string_view name) const { return tensors_.find(name) != tensors_.end(); }

  // NotFound with the file and the name.
  absl::StatusOr<TensorView> Find(std::string_view name) const;

  // The tensor as f32 (from f32, f16, bf16 or f64), its shape checked: -1 in `shape` matches any size. InvalidArgument
  // names the file, the tensor, the shape found and the one expected.
  absl::StatusOr<std::vector<float>> Floats(std::string_view name, std::span<const int64_t> shape) const;
  absl::StatusOr<std::vector<float>> Floats(std::string_view name, std::initializer_list<int64_t> shape) const {
    return Floats(name, std::span<const int64_t>(shape.begin(), shape.size()));
  }

 private:
  const std::string path_;
  const TensorMap tensors_;
  const std::vector<std::shared_ptr<const void>> owners_;
};

}  // namespace tutti
