#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "checkpoint/tensor.h"

// Writes torch files by hand, right and wrong ones.
namespace tutti::torch_file {

using namespace std::string_literals;

template <typename T>
std::string Raw(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
std::string RawAll(std::initializer_list<T> values) {
  std::string raw;
  for (const T value : values) raw += Raw(value);
  return raw;
}

// Pickle instructions that leave one value on the stack.
inline std::string Text(std::string_view text) {
  return "X"s + Raw(static_cast<uint32_t>(text.size())) + std::string(text);
}
inline std::string Int(int64_t value) { return "\x8a\x08"s + Raw(value); }
inline std::string Global(const std::string& module, const std::string& name) {
  return "c"s + module + "\n"s + name + "\n";
}
inline std::string Tuple(const std::vector<std::string>& items) {
  std::string code = "(";
  for (const std::string& item : items) code += item;
  return code + "t";
}
inline std::string Ints(const std::vector<int64_t>& values) {
  std::vector<std::string> items;
  for (const int64_t value : values) items.push_back(Int(value));
  return Tuple(items);
}
inline std::string Dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string code = "}(";
  for (const auto& [key, value] : items) code += Text(key) + value;
  return code + "u";
}
inline std::string OrderedDict() { return Global("collections", "OrderedDict") + ")R"; }

struct Storage {
  std::string type = "FloatStorage";
  std::string key = "0";
  int64_t numel = 0;
};
inline std::string PersistentId(const Storage& storage) {
  return Tuple({Text("storage"), Global("torch", storage.type), Text(storage.key), Text("cpu"), Int(storage.numel)}) +
         "Q";
}
inline std::string Tensor(const Storage& storage, const std::vector<int64_t>& shape,
                          const std::vector<int64_t>& strides, int64_t offset = 0) {
  return Global("torch._utils", "_rebuild_tensor_v2") +
         Tuple({PersistentId(storage), Int(offset), Ints(shape), Ints(strides), "\x89", OrderedDict()}) + "R";
}
inline std::string Pickle(const std::string& code) { return "\x80\x02"s + code + "."; }

struct Entry {
  std::string name;
  std::string data;
  uint16_t method = 0;
};

// A zip of stored entries. With `zip64` every size and offset is in the 64-bit fields.
inline std::string Zip(const std::vector<Entry>& entries, bool zip64 = false) {
  const uint32_t kElsewhere = 0xffffffff;
  std::string file, directory;
  for (const Entry& entry : entries) {
    const auto size = static_cast<uint32_t>(entry.data.size());
    const std::string extra =
        zip64 ? RawAll<uint16_t>({1, 24}) + RawAll<uint64_t>({size, size, file.size()}) : std::string();
    const uint32_t shown_size = zip64 ? kElsewhere : size;
    const uint32_t shown_offset = zip64 ? kElsewhere : static_cast<uint32_t>(file.size());
    const auto name_size = static_cast<uint16_t>(entry.name.size());
    directory += "PK\x01\x02"s + RawAll<uint16_t>({0, 0, 0, entry.method, 0, 0}) + Raw(uint32_t{0}) + Raw(shown_size) +
                 Raw(shown_size) + RawAll<uint16_t>({name_size, static_cast<uint16_t>(extra.size()), 0, 0, 0}) +
                 Raw(uint32_t{0}) + Raw(shown_offset) + entry.name + extra;
    file += "PK\x03\x04"s + RawAll<uint16_t>({0, 0, entry.method, 0, 0}) + RawAll<uint32_t>({0, size, size}) +
            RawAll<uint16_t>({name_size, 0}) + entry.name + entry.data;
  }
  const uint64_t offset = file.size(), count = entries.size(), size = directory.size();
  file += directory;
  if (zip64) {
    const uint64_t end = file.size();
    file += "PK\x06\x06"s + Raw(uint64_t{44}) + RawAll<uint16_t>({0, 0}) + RawAll<uint32_t>({0, 0}) +
            RawAll<uint64_t>({count, count, size, offset});
    file += "PK\x06\x07"s + Raw(uint32_t{0}) + Raw(end) + Raw(uint32_t{1});
  }
  const auto shown_count = static_cast<uint16_t>(zip64 ? 0xffff : count);
  file += "PK\x05\x06"s + RawAll<uint16_t>({0, 0, shown_count, shown_count});
  file +=
      Raw(zip64 ? kElsewhere : static_cast<uint32_t>(size)) + Raw(zip64 ? kElsewhere : static_cast<uint32_t>(offset));
  return file + Raw(uint16_t{0});
}

// A torch file with the given state dict (pickle code) and storages.
inline std::string File(const std::string& state_dict,
                        const std::vector<std::pair<std::string, std::string>>& storages) {
  std::vector<Entry> entries = {{"model/data.pkl", Pickle(state_dict)}};
  for (const auto& [key, data] : storages) entries.push_back({"model/data/"s + key, data});
  return Zip(entries);
}

// The checkpoint in a copy of `file` that ends where the heap block ends, so that ASan sees a step beyond.
inline absl::StatusOr<std::shared_ptr<const Checkpoint>> Parse(std::string_view file) {
  auto bytes = std::make_shared<const std::vector<std::byte>>(
      reinterpret_cast<const std::byte*>(file.data()), reinterpret_cast<const std::byte*>(file.data()) + file.size());
  return Checkpoint::Parse("the file", *bytes, bytes);
}

inline std::string ParseError(std::string_view file) {
  const auto checkpoint = Parse(file);
  return checkpoint.ok() ? "no error" : Message(checkpoint.status());
}

}  // namespace tutti::torch_file
