#include "checkpoint/whisper_names.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tutti {
namespace {

// What stands at a name.
enum class WeightKind {
  kLinear,  // weight and bias
  kNorm,    // gamma and beta, which others call weight and bias
  kTensor,
};

struct NameRow {
  WeightKind kind;
  std::string_view name;                    // CTranslate2's
  std::array<std::string_view, 3> sources;  // their rows one after the other; "" for no further one
};

// Each list of names for one format.
struct NameTable {
  std::string_view layers;             // of encoder and decoder, with the number behind
  std::vector<NameRow> network;        // what there is once
  std::vector<NameRow> layer;          // of each layer
  std::vector<NameRow> decoder_layer;  // of each layer of the decoder besides
  std::string_view without_bias;       // the end of the names of keys, which have none
};

const NameTable& HuggingFaceNames() {
  static const auto* const kTable = new NameTable{
      .layers = "layers",
      .network = {{WeightKind::kLinear, "encoder/conv1", {"encoder.conv1"}},
                  {WeightKind::kLinear, "encoder/conv2", {"encoder.conv2"}},
                  {WeightKind::kTensor, "encoder/position_encodings/encodings", {"encoder.embed_positions.weight"}},
                  {WeightKind::kNorm, "encoder/layer_norm", {"encoder.layer_norm"}},
                  {WeightKind::kTensor, "decoder/embeddings/weight", {"decoder.embed_tokens.weight"}},
                  {WeightKind::kTensor, "decoder/position_encodings/encodings", {"decoder.embed_positions.weight"}},
                  {WeightKind::kNorm, "decoder/layer_norm", {"decoder.layer_norm"}}},
      .layer = {{WeightKind::kNorm, "self_attention/layer_norm", {"self_attn_layer_norm"}},
                {WeightKind::kLinear,
                 "self_attention/linear_0",
                 {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}},
                {WeightKind::kLinear, "self_attention/linear_1", {"self_attn.out_proj"}},
                {WeightKind::kNorm, "ffn/layer_norm", {"final_layer_norm"}},
                {WeightKind::kLinear, "ffn/linear_0", {"fc1"}},
                {WeightKind::kLinear, "ffn/linear_1", {"fc2"}}},
      .decoder_layer = {{WeightKind::kNorm, "attention/layer_norm", {"encoder_attn_layer_norm"}},
                        {WeightKind::kLinear, "attention/linear_0", {"encoder_attn.q_proj"}},
                        {WeightKind::kLinear, "attention/linear_1", {"encoder_attn.k_proj", "encoder_attn.v_proj"}},
                        {WeightKind::kLinear, "attention/linear_2", {"encoder_attn.out_proj"}}},
      .without_bias = ".k_proj"};
  return *kTable;
}

const NameTable& OpenAiNames() {
  static const auto* const kTable = new NameTable{
      .layers = "blocks",
      .network = {{WeightKind::kLinear, "encoder/conv1", {"encoder.conv1"}},
                  {WeightKind::kLinear, "encoder/conv2", {"encoder.conv2"}},
                  {WeightKind::kTensor, "encoder/position_encodings/encodings", {"encoder.positional_embedding"}},
                  {WeightKind::kNorm, "encoder/layer_norm", {"encoder.ln_post"}},
                  {WeightKind::kTensor, "decoder/embeddings/weight", {"decoder.token_embedding.weight"}},
                  {WeightKind::kTensor, "decoder/position_encodings/encodings", {"decoder.positional_embedding"}},
                  {WeightKind::kNorm, "decoder/layer_norm", {"decoder.ln"}}},
      .layer = {{WeightKind::kNorm, "self_attention/layer_norm", {"attn_ln"}},
                {WeightKind::kLinear, "self_attention/linear_0", {"attn.query", "attn.key", "attn.value"}},
                {WeightKind::kLinear, "self_attention/linear_1", {"attn.out"}},
                {WeightKind::kNorm, "ffn/layer_norm", {"mlp_ln"}},
                {WeightKind::kLinear, "ffn/linear_0", {"mlp.0"}},
                {WeightKind::kLinear, "ffn/linear_1", {"mlp.2"}}},
      .decoder_layer = {{WeightKind::kNorm, "attention/layer_norm", {"cross_attn_ln"}},
                        {WeightKind::kLinear, "attention/linear_0", {"cross_attn.query"}},
                        {WeightKind::kLinear, "attention/linear_1", {"cross_attn.key", "cross_attn.value"}},
                        {WeightKind::kLinear, "attention/linear_2", {"cross_attn.out"}}},
      .without_bias = ".key"};
  return *kTable;
}

constexpr int64_t kMostLayers = 256;
constexpr int64_t kWidest = 1 << 20;

class Renamer {
 public:
  Renamer(const NameTable& table, const Checkpoint& source)
      : table_(table), source_(source), prefix_(source.Has("model.encoder.conv1.weight") ? "model." : "") {}

  absl::Status Run() {
    TUTTI_RETURN_IF_ERROR(Add(table_.network, "", ""));
    for (const std::string part : {"encoder", "decoder"}) {
      for (int64_t i = 0; i == 0 || HasLayer(part, i); ++i) {
        if (i == kMostLayers) {
          return InvalidArgument("{}: {}: more than {} layers", source_.path(), part, kMostLayers);
        }
        const std::string name = fmt::format("{}/layer_{}/", part, i), from = LayerOf(part, i);
        TUTTI_RETURN_IF_ERROR(Add(table_.layer, name, from));
        if (part == "decoder") TUTTI_RETURN_IF_ERROR(Add(table_.decoder_layer, name, from));
      }
    }
    return absl::OkStatus();
  }

  TensorMap TakeTensors() { return std::move(tensors_); }
  std::vector<std::shared_ptr<const void>> TakeZeros() { return std::move(zeros_); }

 private:
  std::string LayerOf(std::string_view part, int64_t index) const {
    return fmt::format("{}.{}.{}.", part, table_.layers, index);
  }
  bool HasLayer(std::string_view part, int64_t index) const {
    const NameRow& norm = table_.layer.front();
    return source_.Has(fmt::format("{}{}{}.weight", prefix_, LayerOf(part, index), norm.sources[0]));
  }

  absl::Status Add(std::span<const NameRow> rows, const std::string& name, const std::string& from) {
    for (const NameRow& row : rows) {
      const std::string to = fmt::format("{}{}", name, row.name);
      if (row.kind == WeightKind::kTensor) {
        TUTTI_RETURN_IF_ERROR(Join(to, row, from, ""));
        continue;
      }
      TUTTI_RETURN_IF_ERROR(Join(to + (row.kind == WeightKind::kNorm ? "/gamma" : "/weight"), row, from, ".weight"));
      TUTTI_RETURN_IF_ERROR(Join(to + (row.kind == WeightKind::kNorm ? "/beta" : "/bias"), row, from, ".bias"));
    }
    return absl::OkStatus();
  }

  absl::Status Join(std::string to, const NameRow& row, const std::string& from, std::string_view ending) {
    std::vector<TensorView> parts;
    for (const std::string_view source : row.sources) {
      if (source.empty()) continue;
      const std::string name = fmt::format("{}{}{}{}", prefix_, from, source, ending);
      const bool may_lack = ending == ".bias" && source.ends_with(table_.without_bias);
      if (may_lack && !source_.Has(name)) {
        TUTTI_ASSIGN_OR_RETURN(const TensorView weight,
                               source_.Find(fmt::format("{}{}{}.weight", prefix_, from, source)));
        parts.push_back(Zeros(weight.dtype, weight.shape.empty() ? 0 : weight.shape[0]));
        continue;
      }
      TUTTI_ASSIGN_OR_RETURN(TensorView view, source_.Find(name));
      parts.push_back(std::move(view));
    }
    if (parts.size() == 1) {
      tensors_[std::move(to)] = std::move(parts.front());
      return absl::OkStatus();
    }
    TensorView joined = {.dtype = parts[0].dtype, .shape = parts[0].shape};
    for (size_t i = 0; i < parts.size(); ++i) {
      const std::vector<int64_t>&shape = parts[i].shape, &first = parts[0].shape;
      const bool fits = !shape.empty() && shape[0] <= kWidest &&
                        std::ranges::equal(std::span(shape).subspan(1), std::span(first).subspan(1));
      if (fits) continue;
      return InvalidArgument("{}: tensor {}{}{}{}: shape [{}] does not fit below [{}] of {}", source_.path(), prefix_,
                             from, row.sources[i], ending, fmt::join(shape, ", "), fmt::join(first, ", "),
                             row.sources[0]);
    }
    joined.shape[0] = 0;
    for (const TensorView& part : parts) joined.shape[0] += part.shape[0];
    joined.parts = std::move(parts);
    tensors_[std::move(to)] = std::move(joined);
    return absl::OkStatus();
  }

  // The bias of keys, which other formats leave out. Zero has no bit set in any type.
  TensorView Zeros(DType dtype, int64_t count) {
    count = std::clamp<int64_t>(count, 0, kWidest);
    if (count > most_zeros_) {
      auto zeros = std::make_shared<const std::vector<double>>(static_cast<size_t>(count));
      most_zeros_ = count;
      zero_data_ = reinterpret_cast<const std::byte*>(zeros->data());
      zeros_.push_back(std::move(zeros));
    }
    return {.dtype = dtype, .shape = {count}, .data = zero_data_};
  }

  const NameTable& table_;
  const Checkpoint& source_;
  const std::string prefix_;
  TensorMap tensors_;
  std::vector<std::shared_ptr<const void>> zeros_;
  int64_t most_zeros_ = 0;
  const std::byte* zero_data_ = nullptr;  // of as many, 8 bytes each
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Checkpoint>> RenameWhisper(WhisperNames names,
                                                                const std::shared_ptr<const Checkpoint>& source) {
  Renamer renamer(names == WhisperNames::kHuggingFace ? HuggingFaceNames() : OpenAiNames(), *source);
  TUTTI_RETURN_IF_ERROR(renamer.Run());
  return std::make_shared<const Checkpoint>(source->path(), renamer.TakeTensors(), renamer.TakeZeros(),
                                            std::vector<std::shared_ptr<const Checkpoint>>{source});
}

}  // namespace tutti
