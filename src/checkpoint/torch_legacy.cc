#include <cstdint>
#include <map>

#include "checkpoint/byte_reader.h"
#include "checkpoint/printable.h"
#include "checkpoint/tensor_table.h"
#include "checkpoint/torch_state_dict.h"

namespace tutti {
namespace {

using PickleKind = PickleValue::Kind;

// Five pickles (magic number, version, system, the object, the list of its storage keys), then for each key the number
// of its elements in eight bytes and the elements.
class LegacyFile {
 public:
  explicit LegacyFile(std::span<const std::byte> bytes) : bytes_(bytes), rest_(bytes) {}

  absl::StatusOr<TensorTable> Read() {
    TUTTI_RETURN_IF_ERROR(ReadHeader());
    TUTTI_ASSIGN_OR_RETURN(const Pickle object, NextPickle("state dict", TorchGlobals()));
    TUTTI_ASSIGN_OR_RETURN(const Pickle keys, NextPickle("storage keys", {}));
    TUTTI_RETURN_IF_ERROR(ReadStorages(object, *keys.root));
    const TorchStorageBytes storage_bytes =
        [this](const TorchStorage& storage) -> absl::StatusOr<std::span<const std::byte>> {
      const auto found = storages_.find(storage.key);
      if (found == storages_.end()) return InvalidArgument("storage {} is not in the file", Printable(storage.key));
      const auto held = static_cast<int64_t>(found->second.size()) / ByteSize(storage.dtype);
      if (held >= storage.numel) return found->second;
      return InvalidArgument("storage {} holds {} elements of {}, expected {}", Printable(storage.key), held,
                             Name(storage.dtype), storage.numel);
    };
    return ReadTorchStateDict(*object.root, storage_bytes, static_cast<int64_t>(bytes_.size()));
  }

 private:
  absl::StatusOr<Pickle> NextPickle(std::string_view what, std::span<const std::string_view> allowed) {
    auto pickle = ParsePickle(rest_, allowed);
    if (!pickle.ok()) return WithContext(pickle.status(), fmt::format("legacy torch file: {}", what));
    rest_ = rest_.subspan(pickle->size);
    return pickle;
  }

  absl::Status ReadHeader() {
    using namespace std::string_view_literals;
    constexpr auto kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv;
    constexpr int64_t kVersion = 1001;
    TUTTI_ASSIGN_OR_RETURN(const Pickle magic, NextPickle("magic number", {}));
    if (magic.root->text != kMagic)
      return InvalidArgument("a pickle, but not of torch.save; expected its magic number");
    TUTTI_ASSIGN_OR_RETURN(const Pickle version, NextPickle("version", {}));
    if (version.root->kind != PickleKind::kInt || version.root->number != kVersion) {
      return InvalidArgument("legacy torch file: version {}, expected {}", version.root->number, kVersion);
    }
    TUTTI_ASSIGN_OR_RETURN(const Pickle system, NextPickle("system", {}));
    const PickleValue* little = FindKey(*system.root, "little_endian");
    if (little == nullptr || little->number != 1) {
      return InvalidArgument("legacy torch file: little_endian: expected True");
    }
    return absl::OkStatus();
  }

  absl::Status ReadStorages(const Pickle& object, const PickleValue& keys) {
    std::map<std::string_view, int64_t> element_sizes;
    for (const PickleValue& value : object.values) {
      if (value.kind != PickleKind::kPersistentId) continue;
      TUTTI_ASSIGN_OR_RETURN(const TorchStorage storage, ReadTorchStorage(value));
      const auto& parts = value.items[0]->items;
      if (parts.size() > 5 && parts[5]->kind != PickleKind::kNone) {
        return Unimplemented(
            "legacy torch file: storage {} is a view of another; write the file anew with torch.load "
            "and torch.save",
            Printable(storage.key));
      }
      element_sizes[storage.key] = ByteSize(storage.dtype);
    }
    if (keys.kind != PickleKind::kList) {
      return InvalidArgument("legacy torch file: storage keys: found a {}, expected a list", Name(keys.kind));
    }
    for (const PickleValue* key : keys.items) {
      ByteReader reader(rest_);
      const auto numel = reader.Read<uint64_t>();
      const auto element_size = element_sizes.find(key->text);
      if (element_size == element_sizes.end()) {
        return InvalidArgument("legacy torch file: storage {} belongs to no tensor", Printable(key->text));
      }
      const auto size = static_cast<uint64_t>(element_size->second);
      const auto data = reader.Take(numel <= rest_.size() ? numel * size : UINT64_MAX);
      if (!reader.ok()) {
        return DataLoss("legacy torch file: storage {}: {} elements, but {} bytes are left; the file is truncated",
                        Printable(key->text), numel, rest_.size());
      }
      storages_[key->text] = data;
      rest_ = rest_.subspan(reader.position());
    }
    return absl::OkStatus();
  }

  const std::span<const std::byte> bytes_;
  std::span<const std::byte> rest_;
  std::map<std::string_view, std::span<const std::byte>> storages_;
};

}  // namespace

absl::StatusOr<TensorTable> ReadTorchLegacy(std::span<const std::byte> bytes) { return LegacyFile(bytes).Read(); }

}  // namespace tutti
