#include <fmt/ranges.h>

#include <optional>
#include <string>
#include <utility>

#include "checkpoint/byte_reader.h"
#include "checkpoint/json_text.h"
#include "checkpoint/printable.h"
#include "checkpoint/tensor_table.h"

namespace tutti {
namespace {

constexpr uint64_t kMaxSafetensorsHeader = uint64_t{32} << 20;
constexpr size_t kMaxSafetensorsRank = 8;
constexpr std::string_view kMetadataEntry = "__metadata__";

std::optional<DType> SafetensorsType(std::string_view name) {
  constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"F32", DType::kF32}, {"F16", DType::kF16}, {"BF16", DType::kBF16}, {"F64", DType::kF64}, {"I64", DType::kI64},
      {"I32", DType::kI32}, {"I16", DType::kI16}, {"I8", DType::kI8},     {"U8", DType::kU8},   {"BOOL", DType::kU8}};
  for (const auto& [known, dtype] : kTypes) {
    if (name == known) return dtype;
  }
  return std::nullopt;
}

// Sizes and offsets: all are below 2^63, which no file has.
absl::StatusOr<std::vector<int64_t>> Numbers(const nlohmann::json& entry, const char* key, size_t most) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_array() || found->size() > most) {
    return InvalidArgument("{}: expected a list of at most {} numbers", key, most);
  }
  std::vector<int64_t> numbers;
  for (const auto& item : *found) {
    if (!item.is_number_unsigned() || item.get<uint64_t>() >> 63 != 0) {
      return InvalidArgument("{}: found {}, expected numbers from 0 on", key, Printable(item.dump()));
    }
    numbers.push_back(static_cast<int64_t>(item.get<uint64_t>()));
  }
  return numbers;
}

absl::StatusOr<TensorView> ReadEntry(const nlohmann::json& entry, std::span<const std::byte> data) {
  if (!entry.is_object()) return InvalidArgument("found a JSON {}, expected an object", entry.type_name());
  const auto type = entry.find("dtype");
  const auto dtype =
      type != entry.end() && type->is_string() ? SafetensorsType(type->get_ref<const std::string&>()) : std::nullopt;
  if (!dtype) {
    return Unimplemented("dtype: {}, expected F32, F16, BF16, F64, I64, I32, I16, I8, U8 or BOOL",
                         type == entry.end() ? "missing" : Printable(type->dump()));
  }
  TensorView view{.dtype = *dtype, .shape = {}, .data = nullptr};
  TUTTI_ASSIGN_OR_RETURN(view.shape, Numbers(entry, "shape", kMaxSafetensorsRank));
  TUTTI_ASSIGN_OR_RETURN(const auto offsets, Numbers(entry, "data_offsets", 2));
  if (!CheckedProduct(view.shape)) return InvalidArgument("shape: [{}]: beyond any file", fmt::join(view.shape, ", "));
  const auto size = static_cast<int64_t>(data.size());
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > size) {
    return DataLoss("data_offsets: [{}] of {} bytes; the file is truncated or malformed", fmt::join(offsets, ", "),
                    size);
  }
  if (offsets[1] - offsets[0] != view.bytes()) {
    return InvalidArgument("data_offsets: {} bytes, but [{}] of {} are {}", offsets[1] - offsets[0],
                           fmt::join(view.shape, ", "), Name(*dtype), view.bytes());
  }
  view.data = data.data() + offsets[0];
  return view;
}

}  // namespace

bool LooksLikeSafetensors(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  const auto size = reader.Read<uint64_t>();
  const auto brace = reader.Read<char>();
  return reader.ok() && brace == '{' && size <= bytes.size();
}

absl::StatusOr<TensorTable> ReadSafetensors(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  const auto size = reader.Read<uint64_t>();
  if (size > kMaxSafetensorsHeader) {
    return InvalidArgument("a header of {} bytes, at most {} are allowed", size, kMaxSafetensorsHeader);
  }
  const std::string_view text = reader.TakeText(size);
  if (!reader.ok()) return DataLoss("truncated in the header");
  TUTTI_ASSIGN_OR_RETURN(const nlohmann::json header, ParseJsonObject(text, "header"));
  const auto data = bytes.subspan(reader.position());
  TensorTable table;
  for (const auto& [name, entry] : header.items()) {
    if (name == kMetadataEntry) continue;
    auto view = ReadEntry(entry, data);
    if (!view.ok()) return WithContext(view.status(), fmt::format("tensor {}", Printable(name)));
    table.tensors.emplace(name, *std::move(view));
  }
  return table;
}

}  // namespace tutti
