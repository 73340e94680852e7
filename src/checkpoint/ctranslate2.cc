#include <fmt/ranges.h>

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/byte_reader.h"
#include "checkpoint/printable.h"
#include "checkpoint/tensor_table.h"

namespace tutti {
namespace {

constexpr uint32_t kBinaryVersion = 6;
constexpr std::string_view kWhisperSpec = "WhisperSpec";
constexpr uint32_t kWhisperRevision = 3;
// Whisper large has 1,600 variables. What the list of them takes in memory is bounded by these and the file's size.
constexpr uint32_t kMaxVariables = 1 << 16;
constexpr size_t kMaxVariableName = 1024;
constexpr uint8_t kMaxVariableRank = 4;
constexpr std::string_view kScaleOfVariable = "_scale";

absl::Status CutShort(std::string_view what) { return DataLoss("truncated in {}", what); }

// u16 length including a final NUL, then the bytes.
absl::StatusOr<std::string> ReadTerminated(ByteReader& reader, std::string_view what) {
  const auto size = reader.Read<uint16_t>();
  const std::string_view text = reader.TakeText(size);
  if (!reader.ok()) return CutShort(what);
  if (size < 2 || size > kMaxVariableName || text.find('\0') != text.size() - 1) {
    return InvalidArgument("{}: {} of {} bytes, expected a text of 1 to {} bytes and a NUL", what, Printable(text),
                           size, kMaxVariableName - 1);
  }
  return std::string(text.substr(0, text.size() - 1));
}

std::optional<DType> VariableType(uint8_t type) {
  constexpr DType kTypes[] = {DType::kF32, DType::kI8, DType::kI16, DType::kI32, DType::kF16, DType::kBF16};
  if (type >= std::size(kTypes)) return std::nullopt;
  return kTypes[type];
}

absl::StatusOr<TensorView> ReadVariable(ByteReader& reader) {
  TensorView view;
  const auto rank = reader.Read<uint8_t>();
  if (rank > kMaxVariableRank) return InvalidArgument("{} dimensions, at most {} are allowed", rank, kMaxVariableRank);
  for (uint8_t i = 0; i < rank; ++i) view.shape.push_back(reader.Read<uint32_t>());
  const auto type = reader.Read<uint8_t>();
  const auto size = reader.Read<uint32_t>();
  if (!reader.ok()) return CutShort("its dimensions");
  const auto dtype = VariableType(type);
  if (!dtype) {
    return Unimplemented("type {}, expected 0 to 5 for f32, int8, int16, int32, f16 and bf16", type);
  }
  view.dtype = *dtype;
  if (!CheckedProduct(view.shape)) {
    return InvalidArgument("dimensions [{}]: beyond any file", fmt::join(view.shape, ", "));
  }
  if (view.bytes() != size) {
    return InvalidArgument("{} bytes, but [{}] of {} are {}", size, fmt::join(view.shape, ", "), Name(*dtype),
                           view.bytes());
  }
  view.data = reader.Take(size).data();
  if (!reader.ok()) return CutShort(fmt::format("its data, {} bytes", size));
  return view;
}

absl::StatusOr<TensorMap> ReadVariables(ByteReader& reader) {
  const auto count = reader.Read<uint32_t>();
  if (!reader.ok()) return CutShort("the number of variables");
  if (count > kMaxVariables) return InvalidArgument("{} variables, at most {} are allowed", count, kMaxVariables);
  TensorMap variables;
  for (uint32_t i = 0; i < count; ++i) {
    TUTTI_ASSIGN_OR_RETURN(std::string name, ReadTerminated(reader, fmt::format("the name of variable {}", i)));
    auto view = ReadVariable(reader);
    if (!view.ok()) return WithContext(view.status(), fmt::format("variable {}", Printable(name)));
    if (variables.contains(name)) return InvalidArgument("variable {}: two of this name", Printable(name));
    variables.emplace(std::move(name), *std::move(view));
  }
  return variables;
}

// An alias of a quantised matrix is one of its scales too.
absl::Status ReadAliases(ByteReader& reader, TensorMap& variables) {
  const auto count = reader.Read<uint32_t>();
  if (!reader.ok()) return CutShort("the number of aliases");
  if (count > kMaxVariables) return InvalidArgument("{} aliases, at most {} are allowed", count, kMaxVariables);
  for (uint32_t i = 0; i < count; ++i) {
    TUTTI_ASSIGN_OR_RETURN(const std::string alias, ReadTerminated(reader, fmt::format("alias {}", i)));
    TUTTI_ASSIGN_OR_RETURN(const std::string target, ReadTerminated(reader, fmt::format("the target of alias {}", i)));
    const auto found = variables.find(target);
    if (found == variables.end()) {
      return InvalidArgument("alias {}: no variable {}", Printable(alias), Printable(target));
    }
    if (!variables.emplace(alias, found->second).second) {
      return InvalidArgument("alias {}: two variables of this name", Printable(alias));
    }
    const auto scale = variables.find(target + std::string(kScaleOfVariable));
    if (scale != variables.end()) variables.emplace(alias + std::string(kScaleOfVariable), scale->second);
  }
  return absl::OkStatus();
}

// CTranslate2 multiplies by a scale to quantise, this engine to get the number back: w = q / scale. One for each row of
// an int8 matrix, one for the whole of an int16 one.
absl::StatusOr<std::vector<float>> ReciprocalScales(const TensorView& matrix, const TensorView& scale) {
  const std::vector<int64_t> rows(1, matrix.shape[0]);
  const bool fits = matrix.dtype == DType::kI8 ? scale.shape == rows : scale.elements() == 1;
  if (scale.dtype != DType::kF32 || !fits) {
    return InvalidArgument("{} [{}], expected f32, {}", Name(scale.dtype), fmt::join(scale.shape, ", "),
                           matrix.dtype == DType::kI8 ? fmt::format("[{}]", rows[0]) : "one number");
  }
  std::vector<float> factors(static_cast<size_t>(scale.elements()));
  if (!factors.empty()) std::memcpy(factors.data(), scale.data, factors.size() * sizeof(float));
  for (float& factor : factors) {
    const float reciprocal = 1 / factor;
    if (!std::isnormal(factor) || factor < 0 || !std::isfinite(reciprocal)) {
      return InvalidArgument("found {}, expected positive numbers", factor);
    }
    factor = reciprocal;
  }
  return factors;
}

// Gives each quantised matrix its scales as other readers do: NAME.scales in place of NAME_scale.
absl::StatusOr<TensorTable> WithScales(TensorMap variables) {
  TensorTable table;
  std::map<const std::byte*, std::shared_ptr<const std::vector<float>>> made;  // an alias shares those of its target
  for (auto& [name, view] : variables) {
    const bool quantised = (view.dtype == DType::kI8 || view.dtype == DType::kI16) && !view.shape.empty();
    const auto scale = variables.find(name + std::string(kScaleOfVariable));
    if (!quantised || scale == variables.end()) continue;
    auto& factors = made[scale->second.data];
    if (factors == nullptr) {
      auto reciprocals = ReciprocalScales(view, scale->second);
      if (!reciprocals.ok()) {
        return WithContext(reciprocals.status(), fmt::format("variable {}", Printable(scale->first)));
      }
      factors = std::make_shared<const std::vector<float>>(*std::move(reciprocals));
      table.copies.push_back(factors);
    }
    table.tensors.emplace(name + std::string(kScalesSuffix),
                          TensorView{.dtype = DType::kF32,
                                     .shape = {static_cast<int64_t>(factors->size())},
                                     .data = reinterpret_cast<const std::byte*>(factors->data())});
  }
  for (auto& [name, view] : variables) {
    const bool is_scale =
        name.ends_with(kScaleOfVariable) &&
        table.tensors.contains(name.substr(0, name.size() - kScaleOfVariable.size()) + std::string(kScalesSuffix));
    if (!is_scale && !table.tensors.emplace(name, view).second) {
      return InvalidArgument("variable {}: two of this name", Printable(name));
    }
  }
  return table;
}

}  // namespace

absl::StatusOr<TensorTable> ReadCtranslate2(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  const auto version = reader.Read<uint32_t>();
  if (!reader.ok()) return CutShort("the header");
  if (version != kBinaryVersion) {
    return Unimplemented("CTranslate2 file of version {}, expected {}", version, kBinaryVersion);
  }
  TUTTI_ASSIGN_OR_RETURN(const std::string spec, ReadTerminated(reader, "the name of the specification"));
  const auto revision = reader.Read<uint32_t>();
  if (!reader.ok()) return CutShort("the header");
  if (spec != kWhisperSpec || revision != kWhisperRevision) {
    return Unimplemented("CTranslate2 specification {}, revision {}; expected {}, revision {}", Printable(spec),
                         revision, kWhisperSpec, kWhisperRevision);
  }
  TUTTI_ASSIGN_OR_RETURN(TensorMap variables, ReadVariables(reader));
  TUTTI_RETURN_IF_ERROR(ReadAliases(reader, variables));
  if (reader.remaining() != 0) return InvalidArgument("{} bytes behind the last alias", reader.remaining());
  return WithScales(std::move(variables));
}

}  // namespace tutti
