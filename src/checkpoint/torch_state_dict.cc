#include "checkpoint/torch_state_dict.h"

#include <fmt/ranges.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "checkpoint/printable.h"

namespace tutti {
namespace {

using PickleKind = PickleValue::Kind;

constexpr std::string_view kRebuildTensor = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter = "torch._utils._rebuild_parameter";
constexpr size_t kMaxTorchDimensions = 8;
constexpr size_t kMaxDims = 64;

struct StorageType {
  std::string_view name;
  DType dtype;
};
constexpr std::array<StorageType, 9> kStorageTypes = {{
    {"torch.FloatStorage", DType::kF32},
    {"torch.HalfStorage", DType::kF16},
    {"torch.BFloat16Storage", DType::kBF16},
    {"torch.DoubleStorage", DType::kF64},
    {"torch.LongStorage", DType::kI64},
    {"torch.IntStorage", DType::kI32},
    {"torch.CharStorage", DType::kI8},
    {"torch.ByteStorage", DType::kU8},
    {"torch.BoolStorage", DType::kU8},
}};

// Sizes, strides or offsets: a tuple of integers that are not negative.
absl::StatusOr<std::vector<int64_t>> ReadSizes(const PickleValue& value, std::string_view what) {
  if (value.kind != PickleKind::kTuple || value.items.size() > kMaxTorchDimensions) {
    return InvalidArgument("{}: a {} of {}, expected a tuple of at most {} integers", what, Name(value.kind),
                           value.items.size(), kMaxTorchDimensions);
  }
  std::vector<int64_t> sizes;
  for (const PickleValue* item : value.items) {
    if (item->kind != PickleKind::kInt || item->number < 0) {
      return InvalidArgument("{}: expected integers from 0 up", what);
    }
    sizes.push_back(item->number);
  }
  return sizes;
}

// Where a tensor lies in its storage, in elements.
struct Layout {
  int64_t offset = 0;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;

  bool IsDense() const {
    int64_t expected = 1;
    for (size_t i = shape.size(); i-- > 0;) {
      if (shape[i] != 1 && strides[i] != expected) return false;
      expected *= shape[i];
    }
    return true;
  }

  // One past the last element, or nothing when the number is absurd. The tensor is not empty.
  std::optional<int64_t> End() const {
    int64_t end = 0;
    if (__builtin_add_overflow(offset, 1, &end)) return std::nullopt;
    for (size_t i = 0; i < shape.size(); ++i) {
      int64_t reach = 0;
      if (__builtin_mul_overflow(shape[i] - 1, strides[i], &reach) || __builtin_add_overflow(end, reach, &end)) {
        return std::nullopt;
      }
    }
    return end;
  }
};

// The elements in row-major order.
std::vector<std::byte> Gather(const Layout& layout, const std::byte* storage, size_t element_size, size_t elements) {
  std::vector<std::byte> dense(elements * element_size);
  std::vector<int64_t> index(layout.shape.size(), 0);
  int64_t position = layout.offset;
  for (size_t i = 0; i < elements; ++i) {
    std::memcpy(&dense[i * element_size], storage + static_cast<size_t>(position) * element_size, element_size);
    for (size_t d = index.size(); d-- > 0;) {
      position += layout.strides[d];
      if (++index[d] < layout.shape[d]) break;
      position -= layout.strides[d] * layout.shape[d];
      index[d] = 0;
    }
  }
  return dense;
}

class StateDictReader {
 public:
  StateDictReader(const TorchStorageBytes& storage_bytes, int64_t copy_limit)
      : storage_bytes_(storage_bytes), copy_budget_(copy_limit) {}

  absl::Status Add(const PickleValue& key, const PickleValue& value) {
    if (key.kind != PickleKind::kText)
      return InvalidArgument("a state dict key is a {}, expected text", Name(key.kind));
    std::string_view name = key.text;
    constexpr std::string_view kPrefix = "module.";
    if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
    auto view = ReadTensor(value);
    if (!view.ok()) return WithContext(view.status(), fmt::format("tensor {}", Printable(name)));
    if (!table_.tensors.emplace(name, *std::move(view)).second) {
      return InvalidArgument("tensor {}: two of this name", Printable(name));
    }
    return absl::OkStatus();
  }

  TensorTable TakeTable() { return std::move(table_); }

 private:
  absl::StatusOr<TensorView> ReadTensor(const PickleValue& value) {
    const PickleValue* call = &value;
    if (call->kind == PickleKind::kCall && call->items[0]->text == kRebuildParameter &&
        !call->items[1]->items.empty()) {
      call = call->items[1]->items[0];
    }
    if (call->kind != PickleKind::kCall || call->items[0]->text != kRebuildTensor || call->items[1]->items.size() < 6) {
      return InvalidArgument("found a {}, expected a tensor", Name(call->kind));
    }
    const auto& arguments = call->items[1]->items;  // storage, offset, size, stride, requires_grad, hooks
    TUTTI_ASSIGN_OR_RETURN(const TorchStorage storage, ReadTorchStorage(*arguments[0]));
    if (arguments[1]->kind != PickleKind::kInt || arguments[1]->number < 0) {
      return InvalidArgument("offset: expected an integer from 0 up");
    }
    Layout layout;
    layout.offset = arguments[1]->number;
    TUTTI_ASSIGN_OR_RETURN(layout.shape, ReadSizes(*arguments[2], "size"));
    TUTTI_ASSIGN_OR_RETURN(layout.strides, ReadSizes(*arguments[3], "stride"));
    if (layout.strides.size() != layout.shape.size()) {
      return InvalidArgument("{} strides for {} dimensions", layout.strides.size(), layout.shape.size());
    }
    for (size_t i = 0; i < layout.shape.size(); ++i) {
      if (layout.shape[i] == 1) layout.strides[i] = 0;  // never taken; torch writes anything here
    }
    TUTTI_ASSIGN_OR_RETURN(const auto bytes, storage_bytes_(storage));
    return ViewOf(layout, storage, bytes);
  }

  absl::StatusOr<TensorView> ViewOf(const Layout& layout, const TorchStorage& storage,
                                    std::span<const std::byte> bytes) {
    TensorView view{storage.dtype, layout.shape, bytes.data()};
    const auto elements = CheckedProduct(layout.shape);
    if (elements == 0) return view;
    const auto end = layout.End();
    if (!elements || !end || *end > storage.numel) {
      return InvalidArgument("size [{}], strides [{}] at {} leave the storage of {} elements",
                             fmt::join(layout.shape, ", "), fmt::join(layout.strides, ", "), layout.offset,
                             storage.numel);
    }
    const int64_t element_size = ByteSize(storage.dtype);
    if (layout.IsDense()) {
      view.data += layout.offset * element_size;
      return view;
    }
    // Only a tensor that repeats elements can be larger than the file; such a one is no weight.
    if (*elements > copy_budget_ / element_size) {
      return InvalidArgument("size [{}], strides [{}]: too large to be laid out anew", fmt::join(layout.shape, ", "),
                             fmt::join(layout.strides, ", "));
    }
    copy_budget_ -= *elements * element_size;
    auto dense = std::make_shared<const std::vector<std::byte>>(
        Gather(layout, bytes.data(), static_cast<size_t>(element_size), static_cast<size_t>(*elements)));
    view.data = dense->data();
    table_.copies.push_back(std::move(dense));
    return view;
  }

  const TorchStorageBytes& storage_bytes_;
  int64_t copy_budget_;
  TensorTable table_;
};

// Training code wraps the state dict in a dict of its own, with the epoch and the optimiser beside it.
const PickleValue& Unwrap(const PickleValue& root) {
  constexpr std::array<std::string_view, 3> kWrappers = {"state_dict", "model_state_dict", "model"};
  constexpr int kDeepest = 2;
  const PickleValue* dict = &root;
  for (int depth = 0; depth < kDeepest; ++depth) {
    for (const std::string_view wrapper : kWrappers) {
      const PickleValue* inner = FindKey(*dict, wrapper);
      if (inner != nullptr && inner->kind == PickleKind::kDict) {
        dict = inner;
        break;
      }
    }
  }
  return *dict;
}

// The whole numbers of OpenAI's `dims`; what else may stand there is of no use.
IntegerMap ReadDims(const PickleValue& root) {
  IntegerMap dims;
  const PickleValue* dict = FindKey(root, "dims");
  if (dict == nullptr || dict->kind != PickleKind::kDict) return dims;
  for (size_t i = 0; i + 1 < dict->items.size() && dims.size() < kMaxDims; i += 2) {
    const PickleValue &key = *dict->items[i], &value = *dict->items[i + 1];
    if (key.kind == PickleKind::kText && value.kind == PickleKind::kInt) dims.emplace(key.text, value.number);
  }
  return dims;
}

}  // namespace

std::span<const std::string_view> TorchGlobals() {
  static constexpr auto kGlobals = [] {
    std::array<std::string_view, kStorageTypes.size() + 3> names = {"collections.OrderedDict", kRebuildTensor,
                                                                    kRebuildParameter};
    for (size_t i = 0; i < kStorageTypes.size(); ++i) names[i + 3] = kStorageTypes[i].name;
    return names;
  }();
  return kGlobals;
}

absl::StatusOr<TorchStorage> ReadTorchStorage(const PickleValue& persistent_id) {
  if (persistent_id.kind != PickleKind::kPersistentId || persistent_id.items[0]->kind != PickleKind::kTuple ||
      persistent_id.items[0]->items.size() < 5) {
    return InvalidArgument("storage: expected a persistent id ('storage', type, key, device, size)");
  }
  const auto& parts = persistent_id.items[0]->items;
  if (parts[0]->text != "storage" || parts[1]->kind != PickleKind::kGlobal || parts[2]->kind != PickleKind::kText ||
      parts[4]->kind != PickleKind::kInt || parts[4]->number < 0) {
    return InvalidArgument("storage: expected a persistent id ('storage', type, key, device, size)");
  }
  for (const StorageType& type : kStorageTypes) {
    if (type.name == parts[1]->text) return TorchStorage{type.dtype, parts[2]->text, parts[4]->number};
  }
  return InvalidArgument("storage: {} is no storage type", parts[1]->text);
}

absl::StatusOr<TensorTable> ReadTorchStateDict(const PickleValue& root, const TorchStorageBytes& storage_bytes,
                                               int64_t copy_limit) {
  const PickleValue& dict = Unwrap(root);
  if (dict.kind != PickleKind::kDict) {
    return InvalidArgument("holds a {}, expected a state dict", Name(dict.kind));
  }
  StateDictReader reader(storage_bytes, copy_limit);
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    TUTTI_RETURN_IF_ERROR(reader.Add(*dict.items[i], *dict.items[i + 1]));
  }
  TensorTable table = reader.TakeTable();
  table.dims = ReadDims(root);
  return table;
}

}  // namespace tutti
