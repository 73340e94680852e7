#include <fmt/ranges.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "checkpoint/byte_reader.h"
#include "checkpoint/printable.h"
#include "checkpoint/tensor_table.h"

namespace tutti {
namespace {

// Field numbers of onnx.proto.
constexpr uint32_t kModelGraph = 7;
enum GraphField : uint32_t { kNode = 1, kInitializer = 5 };
enum NodeField : uint32_t { kInput = 1, kNodeName = 3, kOpType = 4 };
enum TensorField : uint32_t {
  kDims = 1,
  kDataType = 2,
  kFloatData = 4,
  kInt32Data = 5,
  kInt64Data = 7,
  kName = 8,
  kRawData = 9,
  kDoubleData = 10,
  kExternalData = 13,
};
constexpr size_t kMaxOnnxDimensions = 8;

struct Field {
  uint32_t number = 0;
  uint32_t wire = 0;
  uint64_t varint = 0;               // wire 0
  std::span<const std::byte> bytes;  // wire 1, 2, 5
};

// The fields of one protobuf message, in order.
class ProtoMessage {
 public:
  explicit ProtoMessage(std::span<const std::byte> bytes) : reader_(bytes) {}

  // False at the end and on malformed bytes; ok() tells them apart.
  bool Next(Field& field) {
    if (reader_.remaining() == 0) return false;
    const uint64_t tag = Varint();
    field = {static_cast<uint32_t>(tag >> 3), static_cast<uint32_t>(tag & 7), 0, {}};
    ok_ = ok_ && tag >> 3 != 0 && tag <= UINT32_MAX;
    switch (field.wire) {
      case 0:
        field.varint = Varint();
        break;
      case 1:
        field.bytes = reader_.Take(8);
        break;
      case 2:
        field.bytes = reader_.Take(Varint());
        break;
      case 5:
        field.bytes = reader_.Take(4);
        break;
      default:
        ok_ = false;
    }
    return ok();
  }

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = reader_.Read<uint8_t>();
      value |= uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
    ok_ = false;
    return 0;
  }

  bool ok() const { return ok_ && reader_.ok(); }
  bool AtEnd() const { return reader_.remaining() == 0; }

 private:
  ByteReader reader_;
  bool ok_ = true;
};

// Appends a repeated varint field, packed or not. False when malformed.
bool AppendVarints(const Field& field, std::vector<int64_t>& values) {
  if (field.wire == 0) {
    values.push_back(static_cast<int64_t>(field.varint));
    return true;
  }
  if (field.wire != 2) return false;
  ProtoMessage packed(field.bytes);
  while (packed.ok() && !packed.AtEnd()) values.push_back(static_cast<int64_t>(packed.Varint()));
  return packed.ok();
}

std::string_view TextOf(const Field& field) {
  return {reinterpret_cast<const char*>(field.bytes.data()), field.bytes.size()};
}

// A TensorProto. Its elements are in raw_data or in one of the typed fields.
struct Tensor {
  std::string name;
  std::vector<int64_t> dims;
  uint64_t data_type = 0;
  std::optional<std::span<const std::byte>> raw;
  std::vector<std::span<const std::byte>> fixed;  // float_data, double_data
  std::vector<int64_t> varints;                   // int32_data, int64_data
  bool external = false;
};

absl::StatusOr<Tensor> ReadTensor(std::span<const std::byte> bytes) {
  Tensor tensor;
  ProtoMessage message(bytes);
  bool ok = true;
  for (Field field; ok && message.Next(field);) {
    switch (field.number) {
      case kDims:
        ok = AppendVarints(field, tensor.dims) && tensor.dims.size() <= kMaxOnnxDimensions;
        break;
      case kDataType:
        ok = field.wire == 0;
        tensor.data_type = field.varint;
        break;
      case kInt32Data:
      case kInt64Data:
        ok = AppendVarints(field, tensor.varints);
        break;
      case kFloatData:
      case kDoubleData:
        ok = field.wire != 0;
        tensor.fixed.push_back(field.bytes);
        break;
      case kName:
        ok = field.wire == 2;
        tensor.name = TextOf(field);
        break;
      case kRawData:
        ok = field.wire == 2;
        tensor.raw = field.bytes;
        break;
      case kExternalData:
        tensor.external = true;
        break;
      default:
        break;  // names of segments, documentation
    }
  }
  if (!ok || !message.ok()) return DataLoss("malformed or truncated TensorProto");
  return tensor;
}

std::optional<DType> DTypeOf(uint64_t data_type) {
  switch (data_type) {  // onnx.TensorProto.DataType
    case 1:
      return DType::kF32;
    case 2:
    case 9:  // bool
      return DType::kU8;
    case 3:
      return DType::kI8;
    case 6:
      return DType::kI32;
    case 7:
      return DType::kI64;
    case 10:
      return DType::kF16;
    case 11:
      return DType::kF64;
    case 16:
      return DType::kBF16;
    default:
      return std::nullopt;
  }
}

// The elements of the typed fields, laid out as raw_data would hold them.
std::vector<std::byte> Pack(const Tensor& tensor, size_t element_size) {
  std::vector<std::byte> packed;
  for (const auto piece : tensor.fixed) packed.insert(packed.end(), piece.begin(), piece.end());
  for (const int64_t value : tensor.varints) {  // little-endian, so a small integer is the first bytes of a large one
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    packed.insert(packed.end(), bytes, bytes + element_size);
  }
  return packed;
}

absl::StatusOr<TensorView> ViewOf(const Tensor& tensor, TensorTable& table) {
  if (tensor.external) {
    return Unimplemented("its data lies in another file; expected it within the ONNX file");
  }
  const auto dtype = DTypeOf(tensor.data_type);
  if (!dtype) {
    return InvalidArgument("data_type {}, expected f32, f16, bf16, f64, i64, i32, i8, u8 or bool", tensor.data_type);
  }
  std::span<const std::byte> bytes;
  if (tensor.raw) {
    bytes = *tensor.raw;
  } else if (tensor.varints.empty() && tensor.fixed.size() == 1) {
    bytes = tensor.fixed.front();
  } else {
    auto packed = std::make_shared<const std::vector<std::byte>>(Pack(tensor, static_cast<size_t>(ByteSize(*dtype))));
    bytes = *packed;
    table.copies.push_back(std::move(packed));
  }
  const auto elements = CheckedProduct(tensor.dims);
  if (!elements || *elements * ByteSize(*dtype) != static_cast<int64_t>(bytes.size())) {
    return InvalidArgument("{} bytes of {}, expected those of dims [{}]", bytes.size(), Name(*dtype),
                           fmt::join(tensor.dims, ", "));
  }
  return TensorView{*dtype, tensor.dims, bytes.data()};
}

// torch's exporter transposes the weight of a Linear for MatMul and calls it onnx::MatMul_7, but the node keeps the
// module's path: /encoder/out/MatMul multiplies with what the checkpoint has as encoder.out.weight.
struct LinearWeight {
  std::string_view initializer;
  std::string name;  // the checkpoint's
};

std::optional<LinearWeight> LinearWeightOf(std::span<const std::byte> node) {
  std::string_view path, op, weight;
  int inputs = 0;
  ProtoMessage message(node);
  for (Field field; message.Next(field);) {
    if (field.wire != 2) continue;
    if (field.number == kInput && ++inputs == 2) weight = TextOf(field);
    if (field.number == kNodeName) path = TextOf(field);
    if (field.number == kOpType) op = TextOf(field);
  }
  constexpr std::string_view kEnd = "/MatMul";
  if (op != "MatMul" || !weight.starts_with("onnx::") || !path.starts_with('/') || !path.ends_with(kEnd) ||
      path.size() <= 1 + kEnd.size()) {
    return std::nullopt;
  }
  LinearWeight found = {weight, std::string(path.substr(1, path.size() - 1 - kEnd.size())) + ".weight"};
  std::replace(found.name.begin(), found.name.end(), '/', '.');
  return found;
}

TensorView Transposed(const TensorView& view, TensorTable& table) {
  const auto rows = static_cast<size_t>(view.shape[0]), columns = static_cast<size_t>(view.shape[1]);
  const auto size = static_cast<size_t>(ByteSize(view.dtype));
  auto copy = std::make_shared<std::vector<std::byte>>(rows * columns * size);
  for (size_t row = 0; row < rows && columns > 0; ++row) {
    for (size_t column = 0; column < columns; ++column) {
      std::memcpy(copy->data() + (column * rows + row) * size, view.data + (row * columns + column) * size, size);
    }
  }
  TensorView transposed = {view.dtype, {view.shape[1], view.shape[0]}, copy->data()};
  table.copies.push_back(std::move(copy));
  return transposed;
}

// Gives the weights of Linear layers the names and the shapes that they have in a checkpoint.
void NameLinearWeights(std::span<const std::byte> graph_bytes, TensorTable& table) {
  ProtoMessage graph(graph_bytes);
  for (Field field; graph.Next(field);) {
    if (field.number != kNode || field.wire != 2) continue;
    const auto weight = LinearWeightOf(field.bytes);
    if (!weight || table.tensors.contains(weight->name)) continue;
    const auto found = table.tensors.find(weight->initializer);
    if (found == table.tensors.end() || found->second.shape.size() != 2) continue;
    const TensorView view = Transposed(found->second, table);
    table.tensors.erase(found);
    table.tensors.emplace(weight->name, view);
  }
}

absl::Status ReadGraph(std::span<const std::byte> bytes, TensorTable& table) {
  ProtoMessage graph(bytes);
  for (Field field; graph.Next(field);) {
    if (field.number != kInitializer) continue;
    auto tensor = ReadTensor(field.bytes);
    if (!tensor.ok()) {
      return WithContext(tensor.status(), fmt::format("graph.initializer {}", table.tensors.size()));
    }
    auto view = ViewOf(*tensor, table);
    if (!view.ok()) return WithContext(view.status(), fmt::format("initializer {}", Printable(tensor->name)));
    if (!table.tensors.emplace(tensor->name, *std::move(view)).second) {
      return InvalidArgument("initializer {}: two of this name", Printable(tensor->name));
    }
  }
  if (!graph.ok()) return DataLoss("graph: malformed or truncated protobuf");
  NameLinearWeights(bytes, table);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TensorTable> ReadOnnx(std::span<const std::byte> bytes) {
  TensorTable table;
  bool found = false;
  ProtoMessage model(bytes);
  for (Field field; model.Next(field);) {
    if (field.number != kModelGraph || field.wire != 2) continue;
    found = true;
    TUTTI_RETURN_IF_ERROR(ReadGraph(field.bytes, table));
  }
  if (!model.ok()) return DataLoss("malformed or truncated protobuf; expected an ONNX ModelProto");
  if (!found) return InvalidArgument("no graph; expected an ONNX ModelProto");
  return table;
}

}  // namespace tutti
