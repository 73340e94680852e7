#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace tutti {

// Reads little-endian fields from the front of hostile bytes. After a read beyond the end ok() is false for good,
// nothing remains and every further read gives zeros, so a parser may read a whole record and check once.
class ByteReader {
 public:
  static_assert(std::endian::native == std::endian::little, "the file formats read here are little-endian");

  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }

  template <typename T>
  T Read() {
    T value{};
    const auto bytes = Take(sizeof(T));
    if (ok_) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }

  std::span<const std::byte> Take(uint64_t count) {
    if (!ok_ || count > remaining()) return Fail();
    const auto taken = bytes_.subspan(position_, count);
    position_ += count;
    return taken;
  }

  std::string_view TakeText(uint64_t count) {
    const auto taken = Take(count);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

  // Up to the next newline, which is consumed but not returned.
  std::string_view TakeLine() {
    const auto rest = bytes_.subspan(position_);
    const void* end = rest.empty() ? nullptr : std::memchr(rest.data(), '\n', rest.size());
    if (end == nullptr) {
      Fail();
      return {};
    }
    const std::string_view line = TakeText(static_cast<size_t>(static_cast<const std::byte*>(end) - rest.data()));
    Take(1);
    return line;
  }

 private:
  std::span<const std::byte> Fail() {
    ok_ = false;
    position_ = bytes_.size();
    return {};
  }

  std::span<const std::byte> bytes_;
  size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace tutti
