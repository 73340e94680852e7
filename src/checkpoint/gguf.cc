#include "checkpoint/gguf.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <utility>

#include "checkpoint/byte_reader.h"
#include "checkpoint/printable.h"
#include "checkpoint/tensor_table.h"

namespace tutti {
namespace {

// A vocabulary takes half a megabyte. Keys and the list of tensors together must end within this, which bounds the
// memory that a hostile file can ask for.
constexpr size_t kMaxHeaderBytes = size_t{32} << 20;
constexpr uint64_t kMaxKeys = 1 << 16;
constexpr uint64_t kMaxTensors = 1 << 16;
constexpr uint64_t kMaxNameBytes = 1024;
constexpr uint64_t kMaxStringBytes = 1 << 20;
constexpr uint32_t kMaxGgufDimensions = 4;
constexpr uint64_t kMinAlignment = 8;
constexpr uint64_t kMaxAlignment = 1 << 16;
constexpr uint64_t kUsualAlignment = 32;
constexpr uint64_t kQ8BlockElements = 32;

absl::Status Truncated(std::string_view what) { return DataLoss("truncated in {}", what); }

absl::StatusOr<std::string> ReadString(ByteReader& reader, uint64_t limit, std::string_view what) {
  const auto size = reader.Read<uint64_t>();
  if (!reader.ok()) return Truncated(what);
  if (size > limit) return InvalidArgument("{}: {} bytes, at most {} are allowed", what, size, limit);
  std::string text(reader.TakeText(size));
  if (!reader.ok()) return Truncated(what);
  return text;
}

// A number as the two kinds that GgufValue knows; nothing for a type that is no number, or a u64 beyond int64_t.
struct Number {
  bool is_integer = true;
  int64_t integer = 0;
  double real = 0;
};
std::optional<Number> ReadNumber(ByteReader& reader, uint32_t type) {
  const auto integer = [](auto value) { return Number{.integer = static_cast<int64_t>(value)}; };
  const auto real = [](double value) { return Number{.is_integer = false, .real = value}; };
  switch (type) {
    case gguf::kU8:
    case gguf::kBool:
      return integer(reader.Read<uint8_t>());
    case gguf::kI8:
      return integer(reader.Read<int8_t>());
    case gguf::kU16:
      return integer(reader.Read<uint16_t>());
    case gguf::kI16:
      return integer(reader.Read<int16_t>());
    case gguf::kU32:
      return integer(reader.Read<uint32_t>());
    case gguf::kI32:
      return integer(reader.Read<int32_t>());
    case gguf::kI64:
      return integer(reader.Read<int64_t>());
    case gguf::kU64: {
      const auto value = reader.Read<uint64_t>();
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
      return integer(value);
    }
    case gguf::kF32:
      return real(reader.Read<float>());
    case gguf::kF64:
      return real(reader.Read<double>());
    default:
      return std::nullopt;
  }
}

absl::StatusOr<GgufValue> ReadArray(ByteReader& reader) {
  const auto type = reader.Read<uint32_t>();
  const auto count = reader.Read<uint64_t>();
  // Each element takes at least one byte, so a count beyond the file is refused before anything is allocated.
  if (!reader.ok() || count > reader.remaining()) return Truncated("a list");
  if (type == gguf::kString) {
    std::vector<std::string> texts;
    for (uint64_t i = 0; i < count; ++i) {
      TUTTI_ASSIGN_OR_RETURN(std::string text, ReadString(reader, kMaxStringBytes, "a text of a list"));
      texts.push_back(std::move(text));
    }
    return texts;
  }
  std::vector<int64_t> integers;
  std::vector<double> reals;
  const bool is_real = type == gguf::kF32 || type == gguf::kF64;
  for (uint64_t i = 0; i < count; ++i) {
    const auto number = ReadNumber(reader, type);
    if (!number) return InvalidArgument("a list of type {}, expected texts or numbers within 63 bits", type);
    if (!reader.ok()) return Truncated("a list");
    if (is_real) {
      reals.push_back(number->real);
    } else {
      integers.push_back(number->integer);
    }
  }
  if (is_real) return reals;
  return integers;
}

absl::StatusOr<GgufValue> ReadValue(ByteReader& reader) {
  const auto type = reader.Read<uint32_t>();
  if (!reader.ok()) return Truncated("the value");
  if (type == gguf::kString) {
    TUTTI_ASSIGN_OR_RETURN(std::string text, ReadString(reader, kMaxStringBytes, "the text"));
    return text;
  }
  if (type == gguf::kArray) return ReadArray(reader);
  const auto number = ReadNumber(reader, type);
  if (!number) return InvalidArgument("a value of type {}, or a number beyond 63 bits", type);
  if (!reader.ok()) return Truncated("the value");
  if (type == gguf::kBool) return number->integer != 0;
  if (number->is_integer) return number->integer;
  return number->real;
}

absl::StatusOr<GgufMetadata> ReadMetadata(ByteReader& reader, uint64_t count) {
  GgufMetadata metadata;
  for (uint64_t i = 0; i < count; ++i) {
    TUTTI_ASSIGN_OR_RETURN(std::string key, ReadString(reader, kMaxNameBytes, fmt::format("key {}", i)));
    auto value = ReadValue(reader);
    if (!value.ok()) return WithContext(value.status(), fmt::format("key {}", Printable(key)));
    if (metadata.contains(key)) return InvalidArgument("key {}: two of this name", Printable(key));
    metadata.emplace(std::move(key), *std::move(value));
  }
  return metadata;
}

absl::StatusOr<uint64_t> Alignment(const GgufMetadata& metadata) {
  const auto found = metadata.find(gguf::kAlignmentKey);
  if (found == metadata.end()) return kUsualAlignment;
  const auto* value = std::get_if<int64_t>(&found->second);
  if (value != nullptr && *value > 0) {
    const auto alignment = static_cast<uint64_t>(*value);
    if (std::has_single_bit(alignment) && kMinAlignment <= alignment && alignment <= kMaxAlignment) return alignment;
  }
  return InvalidArgument("{}: expected a power of two from {} to {}", gguf::kAlignmentKey, kMinAlignment,
                         kMaxAlignment);
}

std::optional<DType> DTypeOf(uint32_t type) {
  switch (type) {
    case gguf::kTensorF32:
      return DType::kF32;
    case gguf::kTensorF16:
      return DType::kF16;
    case gguf::kTensorBF16:
      return DType::kBF16;
    case gguf::kTensorF64:
      return DType::kF64;
    case gguf::kTensorQ8_0:
      return DType::kQ8_0;
    case gguf::kTensorI8:
      return DType::kI8;
    case gguf::kTensorI32:
      return DType::kI32;
    case gguf::kTensorI64:
      return DType::kI64;
    default:
      return std::nullopt;
  }
}

// A tensor whose place in the data section is still to be checked.
struct Announced {
  std::string name;
  TensorView view;
  uint64_t offset = 0;
};

absl::Status ReadShape(ByteReader& reader, Announced& tensor) {
  const auto dimensions = reader.Read<uint32_t>();
  if (!reader.ok()) return Truncated("the dimensions");
  if (dimensions > kMaxGgufDimensions) {
    return InvalidArgument("{} dimensions, at most {} are allowed", dimensions, kMaxGgufDimensions);
  }
  for (uint32_t i = 0; i < dimensions; ++i) {
    tensor.view.shape.push_back(static_cast<int64_t>(reader.Read<uint64_t>()));  // beyond 63 bits: negative, refused
  }
  const auto type = reader.Read<uint32_t>();
  tensor.offset = reader.Read<uint64_t>();
  if (!reader.ok()) return Truncated("the dimensions");
  const auto dtype = DTypeOf(type);
  if (!dtype) return Unimplemented("ggml type {}, expected f32, f16, bf16, f64, q8_0, i8, i32 or i64", type);
  tensor.view.dtype = *dtype;
  if (!CheckedProduct(tensor.view.shape)) {
    return InvalidArgument("sizes [{}] are negative or beyond any file", fmt::join(tensor.view.shape, ", "));
  }
  if (*dtype == DType::kQ8_0 &&
      (dimensions == 0 || static_cast<uint64_t>(tensor.view.shape[0]) % kQ8BlockElements != 0)) {
    return InvalidArgument("q8_0 rows of [{}], expected a multiple of {}", fmt::join(tensor.view.shape, ", "),
                           kQ8BlockElements);
  }
  std::reverse(tensor.view.shape.begin(), tensor.view.shape.end());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Announced>> ReadTensorList(ByteReader& reader, uint64_t count) {
  std::vector<Announced> tensors;
  for (uint64_t i = 0; i < count; ++i) {
    Announced tensor;
    TUTTI_ASSIGN_OR_RETURN(tensor.name, ReadString(reader, kMaxNameBytes, fmt::format("the name of tensor {}", i)));
    if (const absl::Status status = ReadShape(reader, tensor); !status.ok()) {
      return WithContext(status, fmt::format("tensor {}", Printable(tensor.name)));
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace

absl::StatusOr<GgufContents> ParseGguf(std::span<const std::byte> bytes) {
  ByteReader reader(bytes.first(std::min(bytes.size(), kMaxHeaderBytes)));
  const std::string_view magic = reader.TakeText(4);
  const auto version = reader.Read<uint32_t>();
  const auto tensor_count = reader.Read<uint64_t>();
  const auto key_count = reader.Read<uint64_t>();
  if (magic != gguf::kMagic) return InvalidArgument("no GGUF file: it does not start with GGUF");
  if (!reader.ok()) return Truncated("the header");
  if (version != gguf::kVersion) {
    return Unimplemented("GGUF version {}, only {} is supported, little-endian", version, gguf::kVersion);
  }
  if (tensor_count > kMaxTensors || key_count > kMaxKeys) {
    return InvalidArgument("{} tensors and {} keys, at most {} of each are allowed", tensor_count, key_count,
                           kMaxTensors);
  }
  GgufContents contents;
  TUTTI_ASSIGN_OR_RETURN(contents.metadata, ReadMetadata(reader, key_count));
  TUTTI_ASSIGN_OR_RETURN(std::vector<Announced> tensors, ReadTensorList(reader, tensor_count));
  TUTTI_ASSIGN_OR_RETURN(const uint64_t alignment, Alignment(contents.metadata));
  // Numbers up to here are below 2^26, so rounding up cannot overflow.
  const uint64_t start = (reader.position() + alignment - 1) / alignment * alignment;
  const std::span<const std::byte> data = start < bytes.size() ? bytes.subspan(start) : std::span<const std::byte>();
  for (Announced& tensor : tensors) {
    const auto size = static_cast<uint64_t>(tensor.view.bytes());  // below 2^51: CheckedProduct's limit times 8
    if (tensor.offset % alignment != 0) {
      return InvalidArgument("tensor {}: offset {}, expected a multiple of {}", Printable(tensor.name), tensor.offset,
                             alignment);
    }
    if (tensor.offset > data.size() || size > data.size() - tensor.offset) {
      return DataLoss("tensor {}: {} bytes at {} of a data section of {}; the file is truncated or malformed",
                      Printable(tensor.name), size, tensor.offset, data.size());
    }
    tensor.view.data = data.data() + tensor.offset;
    if (!contents.tensors.emplace(tensor.name, std::move(tensor.view)).second) {
      return InvalidArgument("tensor {}: two of this name", Printable(tensor.name));
    }
  }
  return contents;
}

}  // namespace tutti
