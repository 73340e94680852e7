#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/status.h"

namespace tutti {

// kQ8_0 is ggml's: rows in blocks of 32 elements, a block one half-precision scale and 32 int8. kI8Panels are int8 in
// the order of nn/weight_panels.h.
enum class DType { kF32, kF16, kBF16, kF64, kI64, kI32, kI16, kI8, kU8, kQ8_0, kI8Panels };
std::string_view Name(DType dtype);
int64_t ByteSize(DType dtype);  // of an element; of a block of 32 where they come in blocks

// A dense row-major tensor somewhere in a mapped file. A view: the Checkpoint it came from keeps the bytes alive.
struct TensorView {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  const std::byte* data = nullptr;  // not necessarily aligned; null where there are parts
  // Not empty: the tensor is the rows of these, one after the other, where a file has apart what a network takes as
  // one. They have no parts themselves, floating-point elements each of its own type, and as many columns.
  std::vector<TensorView> parts = {};

  int64_t elements() const;
  int64_t bytes() const;
};

// Beside a quantised tensor NAME [rows, …], of i8 or i16, stands NAME.scales, f32: [rows], or [1] for all of them.
// w[r, …] = scales[r] · NAME[r, …].
inline constexpr char kScalesSuffix[] = ".scales";

using TensorMap = std::map<std::string, TensorView, std::less<>>;
using IntegerMap = std::map<std::string, int64_t, std::less<>>;

struct TensorTable;  // checkpoint/tensor_table.h

// The named tensors of one weights file (torch, ONNX initialisers, safetensors, GGUF, CTranslate2), read through mmap:
// a tensor nobody asks for is never paged in. Immutable, safe from any thread.
class Checkpoint {
 public:
  // Chooses the reader by the file's first bytes. Errors name the file, the entry or field, and what was expected.
  // Wrapped state dicts ({"state_dict"|"model_state_dict"|"model": …}) are unwrapped, a `module.` prefix is removed.
  static absl::StatusOr<std::shared_ptr<const Checkpoint>> Open(const std::string& path);

  // The same for bytes already in memory: `owner` keeps them alive, `path` is for errors.
  static absl::StatusOr<std::shared_ptr<const Checkpoint>> Parse(std::string path, std::span<const std::byte> bytes,
                                                                 std::shared_ptr<const void> owner);

  // For readers and tests: `owners` keep the bytes behind the views alive; `file`, where it is not null, is what some
  // of the views lie in, and is kept as well.
  Checkpoint(std::string path, TensorMap tensors, std::vector<std::shared_ptr<const void>> owners,
             std::shared_ptr<const MappedFile> file = nullptr);
  // Tensors of other checkpoints, which are kept, under names of its own.
  Checkpoint(std::string path, TensorMap tensors, std::vector<std::shared_ptr<const void>> owners,
             std::vector<std::shared_ptr<const Checkpoint>> sources);

  const std::string& path() const { return path_; }
  int64_t file_bytes() const;  // of the files that are mapped; 0 for bytes in memory
  const TensorMap& tensors() const { return tensors_; }
  // The whole numbers of the dict `dims` beside a torch file's state dict, by their keys: sizes that no tensor shows.
  const IntegerMap& dims() const { return dims_; }
  bool Has(std::string_view name) const { return tensors_.find(name) != tensors_.end(); }

  // NotFound with the file and the name.
  absl::StatusOr<TensorView> Find(std::string_view name) const;

  // While the result lives someone reads the tensor; then its pages leave this process's memory, so that loading a
  // model does not hold the file and what was made of it at the same time. Null where nothing is mapped.
  std::shared_ptr<const void> Borrow(const TensorView& tensor) const;

  // The tensor as f32 (from f32, f16, bf16, f64 or q8_0, or from i8 or i16 with scales), its shape checked: -1 in
  // `shape` matches any size. InvalidArgument names the file, the tensor, the shape found and the one expected.
  absl::StatusOr<std::vector<float>> Floats(std::string_view name, std::span<const int64_t> shape) const;
  absl::StatusOr<std::vector<float>> Floats(std::string_view name, std::initializer_list<int64_t> shape) const {
    return Floats(name, std::span<const int64_t>(shape.begin(), shape.size()));
  }

 private:
  Checkpoint(std::string path, TensorTable table, std::shared_ptr<const MappedFile> file);

  absl::StatusOr<std::vector<float>> Dequantised(std::string_view name, const TensorView& view) const;

  const std::string path_;
  const TensorMap tensors_;
  const IntegerMap dims_;
  const std::vector<std::shared_ptr<const void>> owners_;
  const std::vector<std::shared_ptr<const Checkpoint>> sources_;
  const std::shared_ptr<const MappedFile> file_;
};

}  // namespace tutti
