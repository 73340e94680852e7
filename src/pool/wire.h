#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tutti {

// A struct on the wire is a function Fields(archive, struct) that names its fields in order; the two archives below
// write and read with the same function, so they cannot disagree. Integers have 64 bits, little-endian like the
// machine: both ends are one program. Not thread-safe.

class WireWriter {
 public:
  template <std::integral T>
  void operator()(const T& value) {
    Append(static_cast<int64_t>(value));
  }
  void operator()(const double& value) { Append(std::bit_cast<int64_t>(value)); }
  void operator()(const float& value) { Append(std::bit_cast<int32_t>(value)); }
  void operator()(const std::string& text) {
    (*this)(text.size());
    bytes_ += text;
  }
  template <typename T>
  void operator()(const std::vector<T>& items) {
    (*this)(items.size());
    for (const T& item : items) (*this)(item);
  }
  template <typename T>
  void operator()(const std::optional<T>& item) {
    (*this)(item.has_value());
    if (item) (*this)(*item);
  }
  template <typename T>
    requires std::is_enum_v<T>
  void Enum(const T& value, T /*last*/) {
    (*this)(static_cast<int64_t>(value));
  }
  template <typename T>
    requires std::is_class_v<T>
  void operator()(const T& value) {
    Fields(*this, const_cast<T&>(value));  // which only reads it here
  }

  std::string Take() { return std::move(bytes_); }

 private:
  template <typename T>
  void Append(const T& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }

  std::string bytes_;
};

// Reads hostile bytes: after the first thing that cannot be, ok() is false and everything reads as zero. Memory stays
// within a small multiple of the input.
class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> bytes) : left_(bytes) {}

  template <std::integral T>
  void operator()(T& value) {
    const auto wide = Cut<int64_t>();
    value = static_cast<T>(wide);
    if (static_cast<int64_t>(value) != wide) Fail(value);
  }
  void operator()(double& value) { value = std::bit_cast<double>(Cut<int64_t>()); }
  void operator()(float& value) { value = std::bit_cast<float>(Cut<int32_t>()); }
  void operator()(std::string& text) {
    const size_t size = Count(1);
    text.assign(reinterpret_cast<const char*>(left_.data()), size);
    left_ = left_.subspan(size);
  }
  template <typename T>
  void operator()(std::vector<T>& items) {
    constexpr size_t kLeastBytes = 4;  // that an item takes
    const size_t count = Count(kLeastBytes);
    items.clear();
    for (size_t i = 0; i < count && ok_; ++i) (*this)(items.emplace_back());
  }
  template <typename T>
  void operator()(std::optional<T>& item) {
    bool has = false;
    (*this)(has);
    item.reset();
    if (has) (*this)(item.emplace());
  }
  template <typename T>
    requires std::is_enum_v<T>
  void Enum(T& value, T last) {
    const auto wide = Cut<int64_t>();
    if (wide < 0 || wide > static_cast<int64_t>(last)) ok_ = false;
    value = ok_ ? static_cast<T>(wide) : T{};
  }
  template <typename T>
    requires std::is_class_v<T>
  void operator()(T& value) {
    Fields(*this, value);
  }

  bool ok() const { return ok_; }
  // Everything was read and made sense.
  bool finished() const { return ok_ && left_.empty(); }

 private:
  template <typename T>
  T Cut() {
    T value{};
    if (!ok_ || left_.size() < sizeof(T)) {
      ok_ = false;
      return value;
    }
    std::memcpy(&value, left_.data(), sizeof(T));
    left_ = left_.subspan(sizeof(T));
    return value;
  }

  template <typename T>
  void Fail(T& value) {
    ok_ = false;
    value = {};
  }

  // Of items that take `least` bytes or more each.
  size_t Count(size_t least) {
    const auto count = Cut<int64_t>();
    if (count < 0 || static_cast<uint64_t>(count) > left_.size() / least) ok_ = false;
    return ok_ ? static_cast<size_t>(count) : 0;
  }

  std::span<const std::byte> left_;
  bool ok_ = true;
};

}  // namespace tutti
