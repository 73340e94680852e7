#include "checkpoint/gguf_writer.h"

#include <type_traits>
#include <utility>

#include "base/file.h"

namespace tutti {
namespace {

template <typename T>
void Put(std::string& to, T value) {
  static_assert(std::is_trivially_copyable_v<T>);
  to.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void PutString(std::string& to, std::string_view text) {
  Put(to, static_cast<uint64_t>(text.size()));
  to += text;
}

template <typename T>
void PutValue(std::string& to, const T& value);

template <typename T>
constexpr gguf::ValueType kTypeOf = gguf::kArray;
template <>
constexpr gguf::ValueType kTypeOf<bool> = gguf::kBool;
template <>
constexpr gguf::ValueType kTypeOf<int64_t> = gguf::kI64;
template <>
constexpr gguf::ValueType kTypeOf<double> = gguf::kF64;
template <>
constexpr gguf::ValueType kTypeOf<std::string> = gguf::kString;

template <typename T>
void PutPlain(std::string& to, const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    PutString(to, value);
  } else if constexpr (std::is_same_v<T, bool>) {
    Put(to, static_cast<uint8_t>(value));
  } else {
    Put(to, value);
  }
}

template <typename T>
void PutValue(std::string& to, const T& value) {
  Put(to, kTypeOf<T>);
  if constexpr (kTypeOf<T> == gguf::kArray) {
    Put(to, kTypeOf<typename T::value_type>);
    Put(to, static_cast<uint64_t>(value.size()));
    for (const auto& item : value) PutPlain(to, item);
  } else {
    PutPlain(to, value);
  }
}

uint64_t Padding(uint64_t size, uint64_t alignment) { return (alignment - size % alignment) % alignment; }

}  // namespace

GgufWriter::GgufWriter(uint32_t alignment) : alignment_(alignment) { AddU32(gguf::kAlignmentKey, alignment); }

void GgufWriter::Add(std::string_view key, const GgufValue& value) {
  ++key_count_;
  PutString(keys_, key);
  std::visit([this](const auto& typed) { PutValue(keys_, typed); }, value);
}

void GgufWriter::AddU32(std::string_view key, uint32_t value) {
  ++key_count_;
  PutString(keys_, key);
  Put(keys_, gguf::kU32);
  Put(keys_, value);
}

void GgufWriter::AddF32(std::string_view key, float value) {
  ++key_count_;
  PutString(keys_, key);
  Put(keys_, gguf::kF32);
  Put(keys_, value);
}

void GgufWriter::AddTensor(std::string name, gguf::TensorType type, const std::vector<int64_t>& shape, uint64_t bytes,
                           Producer producer) {
  PutString(tensor_list_, name);
  Put(tensor_list_, static_cast<uint32_t>(shape.size()));
  for (size_t i = shape.size(); i-- > 0;) Put(tensor_list_, static_cast<uint64_t>(shape[i]));
  Put(tensor_list_, type);
  Put(tensor_list_, data_bytes_);
  data_bytes_ += bytes + Padding(bytes, alignment_);
  tensors_.push_back({std::move(name), bytes, std::move(producer)});
}

absl::Status GgufWriter::Write(const std::string& path) const {
  TUTTI_ASSIGN_OR_RETURN(const auto file, AtomicFile::Create(path));
  std::string head(gguf::kMagic);
  Put(head, gguf::kVersion);
  Put(head, static_cast<uint64_t>(tensors_.size()));
  Put(head, key_count_);
  head += keys_;
  head += tensor_list_;
  head.append(Padding(head.size(), alignment_), '\0');
  TUTTI_RETURN_IF_ERROR(file->Append(std::as_bytes(std::span(head))));
  for (const Tensor& tensor : tensors_) {
    uint64_t written = 0;
    TUTTI_RETURN_IF_ERROR(tensor.producer([&](std::span<const std::byte> bytes) {
      written += bytes.size();
      return file->Append(bytes);
    }));
    if (written != tensor.bytes) {
      return absl::InternalError(
          fmt::format("{}: tensor {} has {} bytes, {} were announced", path, tensor.name, written, tensor.bytes));
    }
    const std::vector<std::byte> padding(Padding(written, alignment_));
    TUTTI_RETURN_IF_ERROR(file->Append(padding));
  }
  return file->Commit();
}

}  // namespace tutti
