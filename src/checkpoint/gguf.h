#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "checkpoint/tensor.h"

namespace tutti {

// A metadata value. Integers of every width are int64_t, floating-point numbers of both widths double, and a list of
// truth values a list of 0 and 1.
using GgufValue = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>, std::vector<double>,
                               std::vector<std::string>>;
using GgufMetadata = std::map<std::string, GgufValue, std::less<>>;

// What a GGUF file holds: the container alone, without what its keys mean (checkpoint/gguf_package.cc).
struct GgufContents {
  GgufMetadata metadata;
  TensorMap tensors;  // views into the file; shapes as rows and columns, not fastest first as the file has them
};

// Parses a GGUF file of version 3. Every view lies within `bytes`. Errors do not name the file.
absl::StatusOr<GgufContents> ParseGguf(std::span<const std::byte> bytes);

// Numbers of the format that reader and writer share.
namespace gguf {
inline constexpr uint32_t kVersion = 3;
inline constexpr char kMagic[] = "GGUF";
inline constexpr char kAlignmentKey[] = "general.alignment";
inline constexpr char kArchitectureKey[] = "general.architecture";

enum ValueType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

enum TensorType : uint32_t {
  kTensorF32 = 0,
  kTensorF16 = 1,
  kTensorQ8_0 = 8,
  kTensorI8 = 24,
  kTensorI32 = 26,
  kTensorI64 = 27,
  kTensorF64 = 28,
  kTensorBF16 = 30,
};
}  // namespace gguf

}  // namespace tutti
