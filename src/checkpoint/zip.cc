#include "checkpoint/zip.h"

#include <algorithm>

#include "checkpoint/byte_reader.h"
#include "checkpoint/printable.h"

namespace tutti {
namespace {

constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kEnd64LocatorSignature = 0x07064b50;
constexpr uint32_t kEntrySignature = 0x02014b50;
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr size_t kEndSize = 22;
constexpr size_t kEnd64LocatorSize = 20;
constexpr size_t kMaxComment = 65535;
constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kEncrypted = 1;

struct Directory {
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t count = 0;
};

std::span<const std::byte> From(std::span<const std::byte> bytes, uint64_t offset) {
  return offset <= bytes.size() ? bytes.subspan(offset) : std::span<const std::byte>();
}

// The zip64 twin of the end record, which a locator just before the end record points to.
absl::StatusOr<Directory> ReadDirectory64(std::span<const std::byte> bytes, size_t end) {
  if (end < kEnd64LocatorSize) return DataLoss("zip64 locator: expected one before the end record");
  ByteReader locator(bytes.subspan(end - kEnd64LocatorSize, kEnd64LocatorSize));
  if (locator.Read<uint32_t>() != kEnd64LocatorSignature) {
    return DataLoss("zip64 locator: expected one before the end record");
  }
  locator.Read<uint32_t>();  // disk
  const uint64_t offset = locator.Read<uint64_t>();
  ByteReader record(From(bytes, offset));
  const auto signature = record.Read<uint32_t>();
  record.Take(8 + 2 + 2 + 4 + 4 + 8);  // size of the record, versions, disks, entries on this disk
  Directory directory;
  directory.count = record.Read<uint64_t>();
  directory.size = record.Read<uint64_t>();
  directory.offset = record.Read<uint64_t>();
  if (!record.ok() || signature != kEnd64Signature) {
    return DataLoss("zip64 end record: expected at byte {} of {}", offset, bytes.size());
  }
  return directory;
}

absl::StatusOr<Directory> FindDirectory(std::span<const std::byte> bytes) {
  // The end record is last but for a comment: search backwards.
  for (size_t back = kEndSize; back <= std::min(bytes.size(), kEndSize + kMaxComment); ++back) {
    const size_t end = bytes.size() - back;
    ByteReader record(bytes.subspan(end));
    if (record.Read<uint32_t>() != kEndSignature) continue;
    record.Take(2 + 2 + 2);  // disks, entries on this disk
    Directory directory;
    directory.count = record.Read<uint16_t>();
    directory.size = record.Read<uint32_t>();
    directory.offset = record.Read<uint32_t>();
    if (directory.count == 0xffff || directory.size == 0xffffffff || directory.offset == 0xffffffff) {
      return ReadDirectory64(bytes, end);
    }
    return directory;
  }
  return DataLoss("{} bytes without a zip end record; expected one at the end: the file is truncated", bytes.size());
}

// Replaces the sizes that did not fit into 32 bits by those of the zip64 extra field, which holds only them, in order.
bool ReadZip64Extra(std::span<const std::byte> extra, ZipDirectory::Entry& entry) {
  uint64_t* const fields[] = {&entry.size, &entry.stored_size, &entry.header_offset};
  if (std::none_of(std::begin(fields), std::end(fields), [](const uint64_t* f) { return *f == 0xffffffff; }))
    return true;
  ByteReader reader(extra);
  while (reader.remaining() >= 4) {
    const auto id = reader.Read<uint16_t>();
    ByteReader body(reader.Take(reader.Read<uint16_t>()));
    if (id != kZip64Extra) continue;
    for (uint64_t* field : fields) {
      if (*field == 0xffffffff) *field = body.Read<uint64_t>();
    }
    return reader.ok() && body.ok();
  }
  return false;
}

}  // namespace

absl::StatusOr<ZipDirectory> ZipDirectory::Open(std::span<const std::byte> bytes) {
  TUTTI_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(bytes));
  ZipDirectory zip(bytes);
  TUTTI_RETURN_IF_ERROR(zip.ReadEntries(directory.offset, directory.size, directory.count));
  return zip;
}

absl::Status ZipDirectory::ReadEntries(uint64_t offset, uint64_t size, uint64_t count) {
  if (offset > bytes_.size() || size > bytes_.size() - offset) {
    return DataLoss("zip directory: bytes {} to {} of a file of {}; the file is truncated", offset, offset + size,
                    bytes_.size());
  }
  ByteReader reader(bytes_.subspan(offset, size));
  for (uint64_t i = 0; i < count; ++i) {
    Entry entry;
    const auto signature = reader.Read<uint32_t>();
    reader.Take(2 + 2);  // versions
    entry.flags = reader.Read<uint16_t>();
    entry.method = reader.Read<uint16_t>();
    reader.Take(4 + 4);  // time, checksum
    entry.stored_size = reader.Read<uint32_t>();
    entry.size = reader.Read<uint32_t>();
    const auto name_size = reader.Read<uint16_t>();
    const auto extra_size = reader.Read<uint16_t>();
    const auto comment_size = reader.Read<uint16_t>();
    reader.Take(2 + 2 + 4);  // disk, attributes
    entry.header_offset = reader.Read<uint32_t>();
    const std::string_view name = reader.TakeText(name_size);
    const auto extra = reader.Take(extra_size);
    reader.Take(comment_size);
    if (!reader.ok() || signature != kEntrySignature || !ReadZip64Extra(extra, entry)) {
      return DataLoss("zip directory: entry {} of {} is malformed", i, count);
    }
    if (!entries_.emplace(name, entry).second) {
      return InvalidArgument("zip directory: two entries named {}", Printable(name));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::span<const std::byte>> ZipDirectory::Find(std::string_view name) const {
  TUTTI_ASSIGN_OR_RETURN(const Packed packed, FindPacked(name));
  if (packed.method != 0 || packed.size != packed.bytes.size()) {
    return InvalidArgument("entry {} is compressed (method {}); expected it stored, as torch.save writes it",
                           Printable(name), packed.method);
  }
  return packed.bytes;
}

absl::StatusOr<ZipDirectory::Packed> ZipDirectory::FindPacked(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return NotFound("no entry {} among {}", Printable(name), entries_.size());
  const Entry& entry = found->second;
  if ((entry.flags & kEncrypted) != 0) {
    return InvalidArgument("entry {} is encrypted (flags {:#x})", Printable(name), entry.flags);
  }
  ByteReader header(From(bytes_, entry.header_offset));
  const auto signature = header.Read<uint32_t>();
  header.Take(22);  // as in the directory, or zero when the sizes follow the data
  const auto name_size = header.Read<uint16_t>();
  const auto extra_size = header.Read<uint16_t>();
  const std::string_view header_name = header.TakeText(name_size);
  header.Take(extra_size);
  const auto data = header.Take(entry.stored_size);
  if (!header.ok() || signature != kLocalSignature || header_name != name) {
    return DataLoss("entry {}: expected its header and {} bytes at byte {} of {}", Printable(name), entry.stored_size,
                    entry.header_offset, bytes_.size());
  }
  return Packed{.bytes = data, .size = entry.size, .method = entry.method};
}

}  // namespace tutti
