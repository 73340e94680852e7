#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>

#include "base/status.h"

namespace tutti {

// The entries of a zip archive whose bytes are in memory, zip64 included. Opening reads the directory at the file's
// end; Find reads one entry's header. The checksums are left alone: they would page every weight in.
class ZipDirectory {
 public:
  static absl::StatusOr<ZipDirectory> Open(std::span<const std::byte> bytes);

  // The bytes of a stored entry, as torch.save writes them, in place. NotFound without such an entry, InvalidArgument
  // when it is compressed, DataLoss when it leaves the file.
  absl::StatusOr<std::span<const std::byte>> Find(std::string_view name) const;

  // An entry as it lies there: `method` is 0 for its own bytes, 8 for those of RFC 1951, which make `size` bytes.
  struct Packed {
    std::span<const std::byte> bytes;
    uint64_t size = 0;
    uint16_t method = 0;
  };
  // InvalidArgument when it is encrypted; else as Find.
  absl::StatusOr<Packed> FindPacked(std::string_view name) const;

  struct Entry {
    uint64_t header_offset = 0;
    uint64_t stored_size = 0;
    uint64_t size = 0;
    uint16_t method = 0;
    uint16_t flags = 0;
  };
  const std::map<std::string_view, Entry>& entries() const { return entries_; }

 private:
  explicit ZipDirectory(std::span<const std::byte> bytes) : bytes_(bytes) {}

  absl::Status ReadEntries(uint64_t offset, uint64_t size, uint64_t count);

  const std::span<const std::byte> bytes_;
  std::map<std::string_view, Entry> entries_;
};

}  // namespace tutti
