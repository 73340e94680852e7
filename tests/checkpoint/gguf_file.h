#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/gguf.h"

// Writes GGUF files by hand, right and wrong ones.
namespace tutti::gguf_file {

template <typename T>
std::string Raw(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

inline std::string Text(std::string_view text) { return Raw(static_cast<uint64_t>(text.size())) + std::string(text); }
template <typename T>
std::string Key(std::string_view name, gguf::ValueType type, T value) {
  return Text(name) + Raw(type) + Raw(value);
}
inline std::string TextKey(std::string_view name, std::string_view value) {
  return Text(name) + Raw(gguf::kString) + Text(value);
}
// `items` as the file has them.
inline std::string ArrayKey(std::string_view name, gguf::ValueType type, uint64_t count, const std::string& items) {
  return Text(name) + Raw(gguf::kArray) + Raw(type) + Raw(count) + items;
}
// Sizes fastest first.
inline std::string Tensor(std::string_view name, const std::vector<uint64_t>& sizes, uint32_t type, uint64_t offset) {
  std::string info = Text(name) + Raw(static_cast<uint32_t>(sizes.size()));
  for (const uint64_t size : sizes) info += Raw(size);
  return info + Raw(type) + Raw(offset);
}

inline std::string File(const std::vector<std::string>& keys, const std::vector<std::string>& tensors,
                        const std::string& data, size_t alignment = 32) {
  std::string file = "GGUF" + Raw(gguf::kVersion) + Raw(static_cast<uint64_t>(tensors.size())) +
                     Raw(static_cast<uint64_t>(keys.size()));
  for (const std::string& key : keys) file += key;
  for (const std::string& tensor : tensors) file += tensor;
  file.append((alignment - file.size() % alignment) % alignment, '\0');
  return file + data;
}

// A copy that ends where the heap block ends, so that ASan sees a step beyond.
inline std::vector<std::byte> Bytes(std::string_view file) {
  const auto* data = reinterpret_cast<const std::byte*>(file.data());
  return {data, data + file.size()};
}

}  // namespace tutti::gguf_file
