#include "checkpoint/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/file.h"
#include "checkpoint/half.h"
#include "checkpoint/tensor_table.h"

namespace tutti {
namespace {

bool StartsWith(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

absl::StatusOr<TensorTable> Read(std::span<const std::byte> bytes) {
  using namespace std::string_view_literals;
  if (StartsWith(bytes, "PK\x03\x04"sv)) return ReadTorchZip(bytes);
  // A pickle of protocol 2 whose first value is torch's 10-byte magic number.
  if (StartsWith(bytes, "\x80\x02\x8a\x0a"sv)) return ReadTorchLegacy(bytes);
  if (LooksLikeSafetensors(bytes)) return ReadSafetensors(bytes);
  // ModelProto.ir_version, the first field every exporter writes.
  if (StartsWith(bytes, "\x08"sv)) return ReadOnnx(bytes);
  // The version of the format.
  if (StartsWith(bytes, "\x06\0\0\0"sv)) return ReadCtranslate2(bytes);
  if (StartsWith(bytes, "GGUF"sv)) {
    return Unimplemented("a GGUF file holds a whole model: name it in place of the directory");
  }
  std::vector<int> head;
  for (const std::byte b : bytes.first(std::min<size_t>(bytes.size(), 4))) head.push_back(static_cast<int>(b));
  return InvalidArgument(
      "unknown weights file: {} bytes that start with [{:02x}]; expected a torch file (PK…), "
      "ONNX, safetensors or CTranslate2",
      bytes.size(), fmt::join(head, " "));
}

// `convert` takes one stored element to float. Elements are not aligned.
template <typename Stored, typename Convert>
std::vector<float> ConvertAll(const TensorView& view, Convert convert) {
  std::vector<float> floats(static_cast<size_t>(view.elements()));
  const std::byte* from = view.data;
  for (float& to : floats) {
    Stored stored;
    std::memcpy(&stored, from, sizeof(stored));
    to = convert(stored);
    from += sizeof(stored);
  }
  return floats;
}

constexpr int64_t kQ8Block = 32;
constexpr int64_t kQ8BlockBytes = 2 + kQ8Block;

std::vector<float> FromQ8(const TensorView& view) {
  std::vector<float> floats(static_cast<size_t>(view.elements()));
  const std::byte* from = view.data;
  for (size_t block = 0; block < floats.size(); block += kQ8Block, from += kQ8BlockBytes) {
    uint16_t half;
    std::memcpy(&half, from, sizeof(half));
    const float scale = FloatFromHalf(half);
    for (size_t i = 0; i < kQ8Block; ++i) {
      floats[block + i] = scale * static_cast<float>(static_cast<int8_t>(from[2 + i]));
    }
  }
  return floats;
}

// Of a tensor without parts whose numbers stand for themselves.
std::optional<std::vector<float>> AsFloats(const TensorView& view) {
  switch (view.dtype) {
    case DType::kF32:
      return ConvertAll<float>(view, [](float value) { return value; });
    case DType::kF16:
      return ConvertAll<uint16_t>(view, FloatFromHalf);
    case DType::kBF16:
      return ConvertAll<uint16_t>(view, FloatFromBFloat16);
    case DType::kF64:
      return ConvertAll<double>(view, [](double value) { return static_cast<float>(value); });
    case DType::kQ8_0:
      return FromQ8(view);
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string_view Name(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kF16:
      return "f16";
    case DType::kBF16:
      return "bf16";
    case DType::kF64:
      return "f64";
    case DType::kI64:
      return "i64";
    case DType::kI32:
      return "i32";
    case DType::kI16:
      return "i16";
    case DType::kI8:
      return "i8";
    case DType::kU8:
      return "u8";
    case DType::kQ8_0:
      return "q8_0";
    case DType::kI8Panels:
      return "i8";
  }
  return "?";
}

int64_t ByteSize(DType dtype) {
  switch (dtype) {
    case DType::kF64:
    case DType::kI64:
      return 8;
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kF16:
    case DType::kBF16:
    case DType::kI16:
      return 2;
    case DType::kI8:
    case DType::kU8:
    case DType::kI8Panels:
      return 1;
    case DType::kQ8_0:
      return kQ8BlockBytes;
  }
  return 1;
}

int64_t TensorView::elements() const {
  // Readers check that the product fits; with a 0 among them, sizes on either side of it may still be of any number.
  if (std::ranges::find(shape, 0) != shape.end()) return 0;
  int64_t product = 1;
  for (const int64_t size : shape) product *= size;
  return product;
}

int64_t TensorView::bytes() const {
  return (dtype == DType::kQ8_0 ? elements() / kQ8Block : elements()) * ByteSize(dtype);
}

absl::StatusOr<std::shared_ptr<const Checkpoint>> Checkpoint::Open(const std::string& path) {
  TUTTI_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  auto table = Read(file->bytes());
  if (!table.ok()) return WithContext(table.status(), path);
  return std::shared_ptr<const Checkpoint>(new Checkpoint(path, *std::move(table), std::move(file)));
}

absl::StatusOr<std::shared_ptr<const Checkpoint>> Checkpoint::Parse(std::string path, std::span<const std::byte> bytes,
                                                                    std::shared_ptr<const void> owner) {
  auto table = Read(bytes);
  if (!table.ok()) return WithContext(table.status(), path);
  table->copies.push_back(std::move(owner));
  return std::shared_ptr<const Checkpoint>(new Checkpoint(std::move(path), *std::move(table), nullptr));
}

Checkpoint::Checkpoint(std::string path, TensorMap tensors, std::vector<std::shared_ptr<const void>> owners,
                       std::shared_ptr<const MappedFile> file)
    : path_(std::move(path)), tensors_(std::move(tensors)), owners_(std::move(owners)), file_(std::move(file)) {}

Checkpoint::Checkpoint(std::string path, TensorMap tensors, std::vector<std::shared_ptr<const void>> owners,
                       std::vector<std::shared_ptr<const Checkpoint>> sources)
    : path_(std::move(path)), tensors_(std::move(tensors)), owners_(std::move(owners)), sources_(std::move(sources)) {}

Checkpoint::Checkpoint(std::string path, TensorTable table, std::shared_ptr<const MappedFile> file)
    : path_(std::move(path)),
      tensors_(std::move(table.tensors)),
      dims_(std::move(table.dims)),
      owners_(std::move(table.copies)),
      file_(std::move(file)) {}

int64_t Checkpoint::file_bytes() const {
  int64_t bytes = file_ == nullptr ? 0 : static_cast<int64_t>(file_->bytes().size());
  for (const auto& source : sources_) bytes += source->file_bytes();
  return bytes;
}

std::shared_ptr<const void> Checkpoint::Borrow(const TensorView& tensor) const {
  if (!tensor.parts.empty()) {
    auto leases = std::make_shared<std::vector<std::shared_ptr<const void>>>();
    for (const TensorView& part : tensor.parts) leases->push_back(Borrow(part));
    return leases;
  }
  if (tensor.data == nullptr) return nullptr;
  for (const auto& source : sources_) {
    if (auto lease = source->Borrow(tensor)) return lease;
  }
  if (file_ == nullptr) return nullptr;
  const auto whole = file_->bytes();
  const std::span part(tensor.data, static_cast<size_t>(tensor.bytes()));
  // A copy of what the file has is not in it.
  if (part.data() < whole.data() || part.data() + part.size() > whole.data() + whole.size()) return nullptr;
  return {part.data(), [file = file_, part](const std::byte*) { file->Forget(part); }};
}

absl::StatusOr<TensorView> Checkpoint::Find(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return NotFound("{}: no tensor {} among {}", path_, name, tensors_.size());
  return found->second;
}

absl::StatusOr<std::vector<float>> Checkpoint::Dequantised(std::string_view name, const TensorView& view) const {
  TUTTI_ASSIGN_OR_RETURN(const TensorView scales, Find(std::string(name) + kScalesSuffix));
  const int64_t rows = view.shape.empty() ? 1 : view.shape[0];
  const bool one = scales.elements() == 1;
  if (scales.dtype != DType::kF32 || (!one && scales.elements() != rows)) {
    return InvalidArgument("{}: tensor {}{} is {} of {} elements, expected f32, one or {}", path_, name, kScalesSuffix,
                           Name(scales.dtype), scales.elements(), rows);
  }
  std::vector<float> floats = view.dtype == DType::kI8
                                  ? ConvertAll<int8_t>(view, [](int8_t value) { return static_cast<float>(value); })
                                  : ConvertAll<int16_t>(view, [](int16_t value) { return static_cast<float>(value); });
  const std::vector<float> factors = ConvertAll<float>(scales, [](float value) { return value; });
  const size_t columns = floats.size() / static_cast<size_t>(std::max<int64_t>(rows, 1));
  for (size_t i = 0; i < floats.size(); ++i) floats[i] *= factors[one ? 0 : i / columns];
  return floats;
}

absl::StatusOr<std::vector<float>> Checkpoint::Floats(std::string_view name, std::span<const int64_t> shape) const {
  TUTTI_ASSIGN_OR_RETURN(const TensorView view, Find(name));
  const bool fits = std::equal(shape.begin(), shape.end(), view.shape.begin(), view.shape.end(),
                               [](int64_t expected, int64_t found) { return expected == -1 || expected == found; });
  if (!fits) {
    return InvalidArgument("{}: tensor {} has shape [{}], expected [{}]", path_, name, fmt::join(view.shape, ", "),
                           fmt::join(shape, ", "));
  }
  if (view.parts.empty() && (view.dtype == DType::kI8 || view.dtype == DType::kI16) &&
      Has(std::string(name) + kScalesSuffix)) {
    return Dequantised(name, view);
  }
  std::vector<float> floats;
  for (const TensorView& part : view.parts.empty() ? std::span(&view, 1) : std::span<const TensorView>(view.parts)) {
    auto some = AsFloats(part);
    if (!some) {
      return InvalidArgument("{}: tensor {} is {}, expected f32, f16, bf16, f64, q8_0, or i8 or i16 with scales", path_,
                             name, Name(part.dtype));
    }
    if (view.parts.empty()) return *std::move(some);
    floats.insert(floats.end(), some->begin(), some->end());
  }
  return floats;
}

}  // namespace tutti
