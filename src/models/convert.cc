#include "models/convert.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "checkpoint/gguf_config.h"
#include "checkpoint/gguf_package.h"
#include "checkpoint/gguf_writer.h"
#include "checkpoint/model_package.h"
#include "models/asr_model.h"
#include "models/fsmn_vad.h"
#include "models/weight_source.h"
#include "nn/quantise.h"
#include "nn/weight_panels.h"

namespace tutti {
namespace {

static_assert(gguf::kPanelColumns == kStoredPanelColumns && gguf::kPanelWord == kStoredPanelWord);

constexpr uint32_t kAlignment = 64;  // so that panels can be used where they are mapped

// Remembers which tensors a network asks for. Thread-safe.
class NotingWeights final : public WeightSource {
 public:
  explicit NotingWeights(std::shared_ptr<const Checkpoint> checkpoint) : weights_(std::move(checkpoint)) {}

  bool Has(std::string_view name) const override { return weights_.Has(name); }
  absl::StatusOr<Weight> Get(std::string_view name, std::span<const int64_t> shape) const override {
    Note(name);
    return weights_.Get(name, shape);
  }
  absl::StatusOr<StoredMatrix> GetMatrix(std::string_view name, int64_t out, int64_t in) const override {
    Note(name);
    return weights_.GetMatrix(name, out, in);
  }

  std::set<std::string> names() const TUTTI_EXCLUDES(mu_) {
    const MutexLock lock(mu_);
    return names_;
  }

 private:
  void Note(std::string_view name) const TUTTI_EXCLUDES(mu_) {
    const MutexLock lock(mu_);
    names_.emplace(name);
  }

  const CheckpointWeights weights_;
  mutable Mutex mu_;
  mutable std::set<std::string> names_ TUTTI_GUARDED_BY(mu_);
};

bool IsVad(const ModelPackage& package) {
  return package.model_type == "FsmnVADStreaming" || package.model_type == "FsmnVAD";
}

// The tensors that the model in `package` needs; an error when it does not run.
absl::StatusOr<std::set<std::string>> TensorsInUse(const ModelPackage& package) {
  const NotingWeights weights(package.weights);
  if (IsVad(package)) {
    TUTTI_RETURN_IF_ERROR(FsmnVad::Load(package, weights).status());
  } else {
    TUTTI_RETURN_IF_ERROR(AsrModel::Load(package, weights, ComputeType::kAuto).status());
  }
  return weights.names();
}

template <typename T>
GgufWriter::Producer Bytes(std::vector<T> values) {
  auto shared = std::make_shared<const std::vector<T>>(std::move(values));
  return [shared](const GgufWriter::Sink& sink) { return sink(std::as_bytes(std::span(*shared))); };
}

// Adds tensors of one checkpoint. Elements are read when the writer asks for them.
class TensorAdder {
 public:
  TensorAdder(std::shared_ptr<const Checkpoint> weights, GgufWriter& writer)
      : weights_(std::move(weights)), writer_(writer) {}

  void AddF32(const std::string& name, const TensorView& view) {
    writer_.AddTensor(name, gguf::kTensorF32, view.shape, Size(view, sizeof(float)),
                      Converted(name, view.shape, [](const std::vector<float>& values, const GgufWriter::Sink& sink) {
                        return sink(std::as_bytes(std::span(values)));
                      }));
  }

  // [width, 1, taps] or [width, 1, taps, 1] as [taps, width].
  void AddKernel(const std::string& name, const TensorView& view) {
    const int64_t width = view.shape[0], taps = view.shape[2];
    const auto transposed = [width, taps](const std::vector<float>& values, const GgufWriter::Sink& sink) {
      std::vector<float> by_taps(values.size());
      for (int64_t c = 0; c < width; ++c) {
        for (int64_t j = 0; j < taps; ++j) {
          by_taps[static_cast<size_t>(j * width + c)] = values[static_cast<size_t>(c * taps + j)];
        }
      }
      return sink(std::as_bytes(std::span(by_taps)));
    };
    writer_.AddTensor(name, gguf::kTensorF32, {taps, width}, Size(view, sizeof(float)),
                      Converted(name, view.shape, transposed));
  }

  void AddBf16(const std::string& name, const TensorView& view) {
    writer_.AddTensor(name, gguf::kTensorBF16, view.shape, Size(view, sizeof(uint16_t)),
                      Converted(name, view.shape, [](const std::vector<float>& values, const GgufWriter::Sink& sink) {
                        std::vector<uint16_t> narrow(values.size());
                        ToBf16(values.data(), static_cast<int64_t>(values.size()), narrow.data());
                        return sink(std::as_bytes(std::span(narrow)));
                      }));
  }

  // What the original has as int8 stays as it is: quantised anew it would differ in the last bit of a scale.
  void AddInt8(const std::string& name, const TensorView& view) {
    const int64_t out = view.shape[0], in = view.shape[1];
    auto scales = std::make_shared<std::vector<float>>(static_cast<size_t>(out));  // written after the matrix
    const auto write = [out, in](const std::vector<int8_t>& rows, const GgufWriter::Sink& sink) {
      if (!FitsPanels(out, in)) return sink(std::as_bytes(std::span(rows)));
      std::vector<int8_t> panels(rows.size());
      PanelsFromRows(rows.data(), out, in, panels.data());
      return sink(std::as_bytes(std::span(panels)));
    };
    const auto quantised = [out, in, scales, write](const std::vector<float>& values, const GgufWriter::Sink& sink) {
      std::vector<int8_t> rows(values.size());
      QuantiseWeights(values.data(), out, in, rows.data(), scales->data());
      return write(rows, sink);
    };
    const auto kept = [weights = weights_, name, view, scales, write](const GgufWriter::Sink& sink) -> absl::Status {
      TUTTI_ASSIGN_OR_RETURN(*scales, weights->Floats(name + kScalesSuffix, {view.shape[0]}));
      const auto* q = reinterpret_cast<const int8_t*>(view.data);
      return write(std::vector<int8_t>(q, q + view.elements()), sink);
    };
    const bool is_int8 = view.dtype == DType::kI8 && weights_->Has(name + kScalesSuffix);
    writer_.AddTensor(name, gguf::kTensorI8, view.shape, Size(view, 1),
                      is_int8 ? GgufWriter::Producer(kept) : Converted(name, view.shape, quantised));
    writer_.AddTensor(name + kScalesSuffix, gguf::kTensorF32, {out}, static_cast<uint64_t>(out) * sizeof(float),
                      [scales](const GgufWriter::Sink& sink) { return sink(std::as_bytes(std::span(*scales))); });
  }

 private:
  static uint64_t Size(const TensorView& view, size_t element) {
    return static_cast<uint64_t>(view.elements()) * element;
  }

  template <typename Convert>
  GgufWriter::Producer Converted(const std::string& name, const std::vector<int64_t>& shape, Convert convert) const {
    return [weights = weights_, name, shape, convert](const GgufWriter::Sink& sink) -> absl::Status {
      TUTTI_ASSIGN_OR_RETURN(const std::vector<float> values, weights->Floats(name, shape));
      return convert(values, sink);
    };
  }

  const std::shared_ptr<const Checkpoint> weights_;
  GgufWriter& writer_;
};

void AddKeys(const ModelPackage& package, ComputeType type, GgufWriter& writer) {
  writer.Add(gguf::kArchitectureKey, std::string(gguf::kArchitecture));
  writer.AddU32(gguf::kFormatKey, gguf::kFormat);
  writer.Add(gguf::kComputeTypeKey, std::string(Name(type)));
  PutConfig(package.config, gguf::kConfigPrefix, writer);
  if (!package.tokens.empty()) writer.Add(gguf::kTokensKey, package.tokens);
  if (!package.bpe.merges.empty()) writer.Add(gguf::kMergesKey, package.bpe.merges);
  if (!package.bpe.added.empty()) writer.Add(gguf::kAddedTokensKey, package.bpe.added);
  if (package.seg_dict.empty()) return;
  std::vector<std::string> words, pieces;
  for (const auto& [word, parts] : package.seg_dict) {
    words.push_back(word);
    pieces.push_back(fmt::format("{}", fmt::join(parts, " ")));
  }
  writer.Add(gguf::kWordsKey, words);
  writer.Add(gguf::kPiecesKey, pieces);
}

}  // namespace

bool IsNarrowMatrix(std::string_view name) {
  constexpr std::string_view kNames[] = {".self_attn.linear_q_k_v.weight", ".self_attn.linear_out.weight",
                                         ".feed_forward.w_1.weight",       ".feed_forward.w_2.weight",
                                         ".src_attn.linear_q.weight",      ".src_attn.linear_k_v.weight",
                                         ".src_attn.linear_out.weight"};
  const bool is_whisper = name == "decoder/embeddings/weight" || name.ends_with("/linear_0/weight") ||
                          name.ends_with("/linear_1/weight") || name.ends_with("/linear_2/weight");
  return is_whisper || std::ranges::any_of(kNames, [name](std::string_view end) { return name.ends_with(end); });
}

absl::Status ConvertModel(const std::string& in, const std::string& out, ComputeType type) {
  if (type == ComputeType::kAuto) return InvalidArgument("compute type: auto, expected f32, bf16 or int8");
  TUTTI_ASSIGN_OR_RETURN(const ModelPackage package, ModelPackage::Open(in));
  if (package.stored_type != ComputeType::kF32) {
    return InvalidArgument("{}: is converted to {} already; convert the original", in, Name(package.stored_type));
  }
  TUTTI_ASSIGN_OR_RETURN(const std::set<std::string> names, TensorsInUse(package));
  if (IsVad(package)) type = ComputeType::kF32;
  GgufWriter writer(kAlignment);
  AddKeys(package, type, writer);
  for (const auto& [name, values] :
       {std::pair{gguf::kShift, &package.cmvn.shift}, {gguf::kScale, &package.cmvn.scale}}) {
    if (values->empty()) continue;
    writer.AddTensor(name, gguf::kTensorF32, {static_cast<int64_t>(values->size())}, values->size() * sizeof(float),
                     Bytes(*values));
  }
  TensorAdder adder(package.weights, writer);
  for (const std::string& name : names) {
    TUTTI_ASSIGN_OR_RETURN(const TensorView view, package.weights->Find(name));
    const bool narrow = view.shape.size() == 2 && IsNarrowMatrix(name);
    if (IsFsmnKernel(name) && view.shape.size() >= 3) {
      adder.AddKernel(name, view);
    } else if (narrow && type == ComputeType::kBf16) {
      adder.AddBf16(name, view);
    } else if (narrow && type == ComputeType::kInt8) {
      adder.AddInt8(name, view);
    } else {
      adder.AddF32(name, view);
    }
  }
  return writer.Write(out);
}

}  // namespace tutti
