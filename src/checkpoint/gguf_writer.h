#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "checkpoint/gguf.h"

namespace tutti {

// Writes a GGUF file of version 3. Keys and tensors stand in the order in which they were added, and the bytes depend
// on nothing else. One value's type and name are the caller's to get right; the file's layout is not.
//
// Tensors are asked for their bytes one after the other while the file is written, so that a model larger than memory
// can be. Not thread-safe.
class GgufWriter {
 public:
  // Where a tensor puts its bytes; any number of calls.
  using Sink = std::function<absl::Status(std::span<const std::byte>)>;
  using Producer = std::function<absl::Status(const Sink&)>;

  explicit GgufWriter(uint32_t alignment);

  // Strings as such, booleans, integers as i64 and numbers as f64; lists likewise.
  void Add(std::string_view key, const GgufValue& value);
  void AddU32(std::string_view key, uint32_t value);
  void AddF32(std::string_view key, float value);

  // `shape` as rows and columns; the producer gives exactly `bytes` bytes.
  void AddTensor(std::string name, gguf::TensorType type, const std::vector<int64_t>& shape, uint64_t bytes,
                 Producer producer);

  // Writes to a temporary name in the same folder, then renames.
  absl::Status Write(const std::string& path) const;

 private:
  struct Tensor {
    std::string name;
    uint64_t bytes = 0;
    Producer producer;
  };

  const uint32_t alignment_;
  uint64_t key_count_ = 0;
  std::string keys_;         // as the file has them
  std::string tensor_list_;  // likewise
  uint64_t data_bytes_ = 0;
  std::vector<Tensor> tensors_;
};

}  // namespace tutti
