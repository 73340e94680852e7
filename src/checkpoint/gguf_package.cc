#include "checkpoint/gguf_package.h"

#include <cmath>
#include <utility>

#include "base/file.h"
#include "checkpoint/gguf.h"
#include "checkpoint/gguf_config.h"
#include "checkpoint/printable.h"
#include "checkpoint/text_lines.h"

namespace tutti {
namespace {

// The value of a key that must be there, or null without `required`; an error when it is of another type.
template <typename T>
absl::StatusOr<const T*> Find(const GgufMetadata& metadata, std::string_view key, std::string_view expected,
                              bool required) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    if (!required) return nullptr;
    return InvalidArgument("key {}: missing, expected {}", key, expected);
  }
  if (const T* value = std::get_if<T>(&found->second)) return value;
  return InvalidArgument("key {}: another type, expected {}", key, expected);
}

absl::StatusOr<int64_t> Integer(const GgufMetadata& metadata, std::string_view key) {
  TUTTI_ASSIGN_OR_RETURN(const int64_t* value, Find<int64_t>(metadata, key, "an integer", true));
  return *value;
}

absl::StatusOr<std::string> Text(const GgufMetadata& metadata, std::string_view key) {
  TUTTI_ASSIGN_OR_RETURN(const std::string* value, Find<std::string>(metadata, key, "a text", true));
  return *value;
}

absl::StatusOr<std::vector<std::string>> Texts(const GgufMetadata& metadata, std::string_view key) {
  using List = std::vector<std::string>;
  TUTTI_ASSIGN_OR_RETURN(const List* value, Find<List>(metadata, key, "a list of texts", false));
  if (value == nullptr) return List();
  return *value;
}

// A number of f32 as the decimal it was written from, so that 0.45 stays 0.45.
absl::StatusOr<std::string> Decimal(const GgufMetadata& metadata, std::string_view key, double fallback) {
  TUTTI_ASSIGN_OR_RETURN(const double* value, Find<double>(metadata, key, "a number", false));
  return fmt::format("{}", static_cast<float>(value == nullptr ? fallback : *value));
}

// Rows of a matrix that the file's keys do not state.
absl::StatusOr<int64_t> Rows(const TensorMap& tensors, std::string_view name) {
  const auto found = tensors.find(name);
  if (found == tensors.end() || found->second.shape.empty()) {
    return InvalidArgument("tensor {}: missing, expected a matrix", name);
  }
  return found->second.shape[0];
}

absl::StatusOr<Config> ParaformerConfig(const GgufContents& contents, const std::string& source) {
  const GgufMetadata& keys = contents.metadata;
  TUTTI_ASSIGN_OR_RETURN(const int64_t width, Integer(keys, "pf.enc.output_size"));
  TUTTI_ASSIGN_OR_RETURN(const int64_t encoder_heads, Integer(keys, "pf.enc.attention_heads"));
  TUTTI_ASSIGN_OR_RETURN(const int64_t encoder_blocks, Integer(keys, "pf.enc.num_blocks"));
  TUTTI_ASSIGN_OR_RETURN(const int64_t encoder_taps, Integer(keys, "pf.enc.kernel_size"));
  TUTTI_ASSIGN_OR_RETURN(const int64_t decoder_blocks, Integer(keys, "pf.dec.num_blocks"));
  TUTTI_ASSIGN_OR_RETURN(const int64_t attention_layers, Integer(keys, "pf.dec.att_layer_num"));
  TUTTI_ASSIGN_OR_RETURN(const int64_t decoder_heads, Integer(keys, "pf.dec.attention_heads"));
  TUTTI_ASSIGN_OR_RETURN(const int64_t decoder_taps, Integer(keys, "pf.dec.kernel_size"));
  TUTTI_ASSIGN_OR_RETURN(const std::string tail, Decimal(keys, "pf.predictor.tail_threshold", 0.45));
  TUTTI_ASSIGN_OR_RETURN(const std::string threshold, Decimal(keys, "pf.predictor.threshold", 1.0));
  TUTTI_ASSIGN_OR_RETURN(const int64_t encoder_units,
                         Rows(contents.tensors, "encoder.encoders0.0.feed_forward.w_1.weight"));
  TUTTI_ASSIGN_OR_RETURN(const int64_t decoder_units,
                         Rows(contents.tensors, "decoder.decoders3.0.feed_forward.w_1.weight"));
  // Version 1 of the predictor has one kernel for each channel, version 2 one for each pair of channels.
  const auto kernel = contents.tensors.find("predictor.cif_conv1d.weight");
  const bool depthwise =
      kernel != contents.tensors.end() && kernel->second.shape.size() == 3 && kernel->second.shape[1] == 1;
  const std::string yaml = fmt::format(
      "model: Paraformer\n"
      "encoder: SANMEncoder\n"
      "encoder_conf: {{output_size: {0}, attention_heads: {1}, linear_units: {2}, num_blocks: {3}, kernel_size: {4},\n"
      "  input_layer: pe}}\n"
      "decoder: ParaformerSANMDecoder\n"
      "decoder_conf: {{num_blocks: {5}, att_layer_num: {6}, attention_heads: {7}, kernel_size: {8}, linear_units: "
      "{9}}}\n"
      "predictor: {10}\n"
      "predictor_conf: {{idim: {0}, threshold: {11}, tail_threshold: {12}}}\n"
      "frontend: WavFrontend\n"
      "frontend_conf: {{fs: 16000, window: hamming, n_mels: 80, frame_length: 25, frame_shift: 10, lfr_m: 7, "
      "lfr_n: 6}}\n",
      width, encoder_heads, encoder_units, encoder_blocks, encoder_taps, decoder_blocks, attention_layers,
      decoder_heads, decoder_taps, decoder_units, depthwise ? "CifPredictor" : "CifPredictorV2", threshold, tail);
  return Config::ParseYaml(yaml, source);
}

absl::StatusOr<Config> VadConfig(const GgufMetadata& keys, const std::string& source) {
  std::string encoder_conf;
  for (const char* key : {"input_dim", "input_affine_dim", "fsmn_layers", "linear_dim", "proj_dim", "lorder",
                          "output_affine_dim", "output_dim"}) {
    TUTTI_ASSIGN_OR_RETURN(const int64_t value, Integer(keys, fmt::format("vad.{}", key)));
    encoder_conf += fmt::format("{}{}: {}", encoder_conf.empty() ? "" : ", ", key, value);
  }
  TUTTI_ASSIGN_OR_RETURN(const int64_t mels, Integer(keys, "vad.n_mels"));
  TUTTI_ASSIGN_OR_RETURN(const int64_t lfr_m, Integer(keys, "vad.lfr_m"));
  TUTTI_ASSIGN_OR_RETURN(const int64_t lfr_n, Integer(keys, "vad.lfr_n"));
  const std::string yaml = fmt::format(
      "model: FsmnVADStreaming\n"
      "encoder: FSMN\n"
      "encoder_conf: {{{}}}\n"
      "frontend: WavFrontendOnline\n"
      "frontend_conf: {{fs: 16000, window: hamming, n_mels: {}, frame_length: 25, frame_shift: 10, lfr_m: {}, "
      "lfr_n: {}}}\n",
      encoder_conf, mels, lfr_m, lfr_n);
  return Config::ParseYaml(yaml, source);
}

absl::StatusOr<ComputeType> StoredType(const GgufMetadata& keys) {
  TUTTI_ASSIGN_OR_RETURN(const std::string name, Text(keys, gguf::kComputeTypeKey));
  if (name == "f32") return ComputeType::kF32;
  if (name == "bf16") return ComputeType::kBf16;
  if (name == "int8") return ComputeType::kInt8;
  return InvalidArgument("key {}: {}, expected f32, bf16 or int8", gguf::kComputeTypeKey, Printable(name));
}

absl::StatusOr<SegDict> ReadSegDict(const GgufMetadata& keys) {
  TUTTI_ASSIGN_OR_RETURN(const auto words, Texts(keys, gguf::kWordsKey));
  TUTTI_ASSIGN_OR_RETURN(const auto pieces, Texts(keys, gguf::kPiecesKey));
  if (words.size() != pieces.size()) {
    return InvalidArgument("{} has {} texts and {} {}, expected as many of both", gguf::kWordsKey, words.size(),
                           gguf::kPiecesKey, pieces.size());
  }
  SegDict dictionary;
  for (size_t i = 0; i < words.size(); ++i) {
    const auto fields = Fields(pieces[i]);
    dictionary[words[i]].assign(fields.begin(), fields.end());
  }
  return dictionary;
}

// What the keys say, in each dialect.
absl::Status ReadKeys(const GgufContents& contents, const std::string& source, ModelPackage& package) {
  const GgufMetadata& keys = contents.metadata;
  TUTTI_ASSIGN_OR_RETURN(const std::string architecture, Text(keys, gguf::kArchitectureKey));
  if (architecture == gguf::kArchitecture) {
    TUTTI_ASSIGN_OR_RETURN(const int64_t format, Integer(keys, gguf::kFormatKey));
    if (format != gguf::kFormat) {
      return Unimplemented("key {}: {}, this version of tutti reads {}", gguf::kFormatKey, format, gguf::kFormat);
    }
    TUTTI_ASSIGN_OR_RETURN(package.stored_type, StoredType(keys));
    TUTTI_ASSIGN_OR_RETURN(package.config, ConfigFromKeys(keys, gguf::kConfigPrefix, source));
    TUTTI_ASSIGN_OR_RETURN(package.tokens, Texts(keys, gguf::kTokensKey));
    TUTTI_ASSIGN_OR_RETURN(package.seg_dict, ReadSegDict(keys));
    TUTTI_ASSIGN_OR_RETURN(package.bpe.merges, Texts(keys, gguf::kMergesKey));
    TUTTI_ASSIGN_OR_RETURN(package.bpe.added, Texts(keys, gguf::kAddedTokensKey));
    if (!package.bpe.merges.empty()) package.tokenizer_source = gguf::kTokensKey;
  } else if (architecture == "paraformer") {
    TUTTI_ASSIGN_OR_RETURN(package.config, ParaformerConfig(contents, source));
    TUTTI_ASSIGN_OR_RETURN(package.tokens, Texts(keys, "pf.vocab"));
  } else if (architecture == "fsmn-vad") {
    TUTTI_ASSIGN_OR_RETURN(package.config, VadConfig(keys, source));
  } else if (architecture == "sensevoice-small" || architecture == "funasr-sensevoice-encoder") {
    return Unimplemented(
        "architecture {}: FunASR's GGUF files of SenseVoice are not supported yet; expected SenseVoice's model "
        "directory, "
        "or what `tutti models convert` makes of it",
        architecture);
  } else {
    return Unimplemented("{} is {}, expected tutti, paraformer or fsmn-vad", gguf::kArchitectureKey,
                         Printable(architecture));
  }
  TUTTI_ASSIGN_OR_RETURN(package.model_type, package.config.GetString("model", ""));
  if (package.model_type.empty()) return InvalidArgument("model: missing, expected the model's class");
  return absl::OkStatus();
}

absl::StatusOr<Cmvn> ReadCmvn(const Checkpoint& file) {
  Cmvn cmvn;
  if (!file.Has(gguf::kShift) && !file.Has(gguf::kScale)) return cmvn;
  TUTTI_ASSIGN_OR_RETURN(cmvn.shift, file.Floats(gguf::kShift, {-1}));
  TUTTI_ASSIGN_OR_RETURN(cmvn.scale, file.Floats(gguf::kScale, {static_cast<int64_t>(cmvn.shift.size())}));
  for (const auto* values : {&cmvn.shift, &cmvn.scale}) {
    for (const float value : *values) {
      if (!std::isfinite(value)) return InvalidArgument("cmvn: found {}, expected finite numbers", value);
    }
  }
  return cmvn;
}

// Kernels [taps, width] as a checkpoint has them. Views may name the same bytes many times, so what the copies take is
// bounded by the size of the file: as f32 they are four times as large as it at most.
class KernelTransposer {
 public:
  KernelTransposer(const Checkpoint& file, size_t file_bytes) : file_(file), left_(file_bytes) {}

  absl::StatusOr<TensorView> Transpose(const std::string& name, const TensorView& view) {
    const auto size = static_cast<size_t>(view.bytes());
    // One side without elements lets the other be any number, and nothing bounds the loops below.
    if (size == 0) return InvalidArgument("{}: tensor {}: a kernel without elements", file_.path(), name);
    if (size > left_) return InvalidArgument("{}: tensor {}: kernels larger than the file", file_.path(), name);
    left_ -= size;
    TUTTI_ASSIGN_OR_RETURN(const std::vector<float> by_taps, file_.Floats(name, {-1, -1}));
    const int64_t taps = view.shape[0], width = view.shape[1];
    auto by_width = std::make_shared<std::vector<float>>(by_taps.size());
    for (int64_t j = 0; j < taps; ++j) {
      for (int64_t c = 0; c < width; ++c) {
        (*by_width)[static_cast<size_t>(c * taps + j)] = by_taps[static_cast<size_t>(j * width + c)];
      }
    }
    TensorView kernel = {DType::kF32, {width, 1, taps}, reinterpret_cast<const std::byte*>(by_width->data())};
    if (!name.ends_with("fsmn_block.weight")) kernel.shape.push_back(1);
    copies_.push_back(std::move(by_width));
    return kernel;
  }

  std::vector<std::shared_ptr<const void>> TakeCopies() { return std::move(copies_); }

 private:
  const Checkpoint& file_;
  size_t left_;
  std::vector<std::shared_ptr<const void>> copies_;
};

bool InPanels(const TensorView& view) {
  return view.dtype == DType::kI8 && view.shape.size() == 2 && view.shape[0] % gguf::kPanelColumns == 0 &&
         view.shape[1] % gguf::kPanelWord == 0;
}

absl::StatusOr<ModelPackage> Parse(const std::string& path, std::span<const std::byte> bytes,
                                   std::shared_ptr<const MappedFile> mapping) {
  auto contents = ParseGguf(bytes);
  if (!contents.ok()) return WithContext(contents.status(), path);
  ModelPackage package;
  package.directory = path;
  package.format = "GGUF";
  if (const absl::Status status = ReadKeys(*contents, path, package); !status.ok()) return WithContext(status, path);
  const Checkpoint file(path, std::move(contents->tensors), {});
  TUTTI_ASSIGN_OR_RETURN(package.cmvn, ReadCmvn(file));
  KernelTransposer transposer(file, bytes.size());
  TensorMap tensors;
  for (const auto& [name, view] : file.tensors()) {
    if (name == gguf::kShift || name == gguf::kScale) continue;
    TensorView& tensor = tensors[name] = view;
    if (IsFsmnKernel(name) && view.shape.size() == 2) {
      TUTTI_ASSIGN_OR_RETURN(tensor, transposer.Transpose(name, view));
    } else if (InPanels(view) && package.stored_type == ComputeType::kInt8) {
      tensor.dtype = DType::kI8Panels;
    }
  }
  package.weights =
      std::make_shared<const Checkpoint>(path, std::move(tensors), transposer.TakeCopies(), std::move(mapping));
  return package;
}

}  // namespace

bool IsFsmnKernel(std::string_view name) {
  return name.ends_with(".fsmn_block.weight") || name.ends_with(".conv_left.weight") ||
         name.ends_with(".conv_right.weight");
}

absl::StatusOr<ModelPackage> OpenGgufPackage(const std::string& path) {
  TUTTI_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  const auto bytes = file->bytes();
  return Parse(path, bytes, std::move(file));
}

absl::StatusOr<ModelPackage> ParseGgufPackage(const std::string& path, std::span<const std::byte> bytes) {
  return Parse(path, bytes, nullptr);
}

}  // namespace tutti
