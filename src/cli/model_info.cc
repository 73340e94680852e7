#include "cli/model_info.h"

#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "checkpoint/model_package.h"
#include "checkpoint/whisper_package.h"
#include "models/asr_model.h"
#include "models/fsmn_vad.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kTellingKeys[] = {
    "encoder",
    "encoder_conf.output_size",
    "encoder_conf.attention_heads",
    "encoder_conf.linear_units",
    "encoder_conf.num_blocks",
    "encoder_conf.kernel_size",
    "encoder_conf.fsmn_layers",
    "encoder_conf.proj_dim",
    "encoder_conf.linear_dim",
    "encoder_conf.output_dim",
    "predictor",
    "decoder",
    "decoder_conf.num_blocks",
    "decoder_conf.linear_units",
    "frontend_conf.fs",
    "frontend_conf.n_mels",
    "frontend_conf.lfr_m",
    "frontend_conf.lfr_n",
    "model_conf.max_end_silence_time",
    "model_conf.speech_noise_thres",
};

// The value as text, whatever its type.
std::string Value(const Config& config, const char* key) {
  if (const auto number = config.GetInt(key, 0); number.ok()) return std::to_string(*number);
  if (const auto number = config.GetDouble(key, 0); number.ok()) return fmt::format("{}", *number);
  if (const auto text = config.GetString(key, ""); text.ok()) return *text;
  return "?";
}

// What is known of a Whisper, whichever format it is in.
absl::Status DescribeWhisper(const ModelPackage& package, ModelInfo& info) {
  TUTTI_ASSIGN_OR_RETURN(const WhisperPackage whisper, WhisperPackage::From(package));
  const WhisperSizes& sizes = whisper.sizes;
  const auto put = [&info](const char* key, std::string value) { info.config.emplace_back(key, std::move(value)); };
  put("mels", fmt::format("{}", sizes.mels));
  put("width", fmt::format("{}", sizes.width));
  put("encoder", fmt::format("{} layers of {} heads, feed-forward {}, {} positions", sizes.encoder_layers,
                             sizes.encoder_heads, sizes.encoder_units, sizes.encoder_positions));
  put("decoder", fmt::format("{} layers of {} heads, feed-forward {}, {} positions", sizes.decoder_layers,
                             sizes.decoder_heads, sizes.decoder_units, sizes.decoder_positions));
  put("languages", whisper.is_multilingual ? fmt::format("{}", whisper.languages.size()) : "English only");
  put("alignment_heads", fmt::format("{}", whisper.alignment_heads.size()));
  put("suppressed_tokens",
      fmt::format("{}, {} of them at first", whisper.suppressed.size() + whisper.suppressed_first.size(),
                  whisper.suppressed_first.size()));
  put("tokenizer", fmt::format("{} merges, from {}", package.bpe.merges.size(), package.tokenizer_source));
  return absl::OkStatus();
}

bool IsVad(const std::string& type) { return type == "FsmnVADStreaming" || type == "FsmnVAD"; }

}  // namespace

absl::StatusOr<ModelInfo> Inspect(const std::string& directory) {
  TUTTI_ASSIGN_OR_RETURN(const ModelPackage package, ModelPackage::Open(directory));
  ModelInfo info{.directory = directory,
                 .type = package.model_type,
                 .format = package.format,
                 .weights = package.weights->path(),
                 .tensors = static_cast<int64_t>(package.weights->tensors().size()),
                 .dtypes = "",
                 .tokens = static_cast<int64_t>(package.tokens.size()),
                 .config = {},
                 .runs = absl::OkStatus()};
  info.weights_bytes = package.weights->file_bytes();
  std::set<std::string_view> dtypes;
  std::set<const std::byte*> seen;
  const auto count = [&](const TensorView& tensor) {
    if (tensor.elements() > 0 && seen.insert(tensor.data).second) info.parameters += tensor.elements();  // one of two
    dtypes.insert(Name(tensor.dtype));
  };
  for (const auto& [name, tensor] : package.weights->tensors()) {
    if (name.ends_with(kScalesSuffix)) {
      dtypes.insert(Name(tensor.dtype));
    } else if (tensor.parts.empty()) {
      count(tensor);
    } else {
      for (const TensorView& part : tensor.parts) count(part);
    }
  }
  info.dtypes = fmt::format("{}", fmt::join(dtypes, ", "));
  for (const char* key : kTellingKeys) {
    if (package.config.Has(key)) info.config.emplace_back(key, Value(package.config, key));
  }
  if (info.type == "Whisper") DescribeWhisper(package, info).IgnoreError();  // what is wrong stands in `runs`
  info.runs = IsVad(info.type) ? FsmnVad::Load(package).status() : AsrModel::Load(package, ComputeType::kAuto).status();
  return info;
}

std::string RenderInfo(const ModelInfo& info, bool is_default, bool json) {
  const std::string runs = info.runs.ok() ? "yes" : Message(info.runs);
  if (json) {
    Json config = Json::object();
    for (const auto& [key, value] : info.config) config[key] = value;
    const Json out = {{"directory", info.directory},
                      {"type", info.type},
                      {"format", info.format},
                      {"runs", info.runs.ok()},
                      {"problem", info.runs.ok() ? Json(nullptr) : Json(runs)},
                      {"weights", info.weights},
                      {"weights_bytes", info.weights_bytes},
                      {"tensors", info.tensors},
                      {"parameters", info.parameters},
                      {"dtypes", info.dtypes},
                      {"tokens", info.tokens},
                      {"config", config},
                      {"default", is_default}};
    return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  std::string out = fmt::format(
      "directory   {}\ntype        {}, in {}'s format\nruns        {}\nweights     {} ({:.1f} MiB, {})\n"
      "parameters  {} in {} tensors\n",
      info.directory, info.type, info.format, runs, info.weights, static_cast<double>(info.weights_bytes) / (1 << 20),
      info.dtypes, info.parameters, info.tensors);
  if (info.tokens > 0) fmt::format_to(std::back_inserter(out), "tokens      {}\n", info.tokens);
  for (size_t i = 0; i < info.config.size(); ++i) {
    fmt::format_to(std::back_inserter(out), "{:<12}{}: {}\n", i == 0 ? "config" : "", info.config[i].first,
                   info.config[i].second);
  }
  if (is_default) out += "default     yes: taken where no model is named\n";
  return out;
}

}  // namespace tutti
