#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Writes CTranslate2's model.bin by hand, right and wrong ones.
namespace tutti::ctranslate2_file {

enum Type : uint8_t { kF32 = 0, kI8 = 1, kI16 = 2, kI32 = 3, kF16 = 4, kBF16 = 5 };

template <typename T>
std::string Raw(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}
template <typename T>
std::string Raw(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

inline std::string Text(std::string_view text) {
  return Raw(static_cast<uint16_t>(text.size() + 1)) + std::string(text) + '\0';
}
inline std::string Variable(std::string_view name, const std::vector<uint32_t>& shape, uint8_t type,
                            const std::string& data) {
  return Text(name) + Raw(static_cast<uint8_t>(shape.size())) + Raw(shape) + Raw(type) +
         Raw(static_cast<uint32_t>(data.size())) + data;
}
inline std::string Alias(std::string_view name, std::string_view target) { return Text(name) + Text(target); }

inline std::string Header(uint32_t version = 6, std::string_view spec = "WhisperSpec", uint32_t revision = 3) {
  return Raw(version) + Text(spec) + Raw(revision);
}
inline std::string File(const std::vector<std::string>& variables, const std::vector<std::string>& aliases = {}) {
  std::string file = Header() + Raw(static_cast<uint32_t>(variables.size()));
  for (const std::string& variable : variables) file += variable;
  file += Raw(static_cast<uint32_t>(aliases.size()));
  for (const std::string& alias : aliases) file += alias;
  return file;
}

}  // namespace tutti::ctranslate2_file
