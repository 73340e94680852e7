#include "cli/model_info.h"

#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "checkpoint/model_package.h"
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

bool IsVad(const std::string& type) { return type == "FsmnVADStreaming" || type == "FsmnVAD"; }

}  // namespace

absl::StatusOr<ModelInfo> Inspect(const std::string& directory) {
  TUTTI_ASSIGN_OR_RETURN(const ModelPackage package, ModelPackage::Open(directory));
  ModelInfo info{.directory = directory,
                 .type = package.model_type,
                 .weights = package.weights->path(),
                 .tensors = static_cast<int64_t>(package.weights->tensors().size()),
                 .dtypes = "",
                 .tokens = static_cast<int64_t>(package.tokens.size()),
                 .config = {},
                 .runs = absl::OkStatus()};
  std::error_code error;
  const auto bytes = std::filesystem::file_size(info.weights, error);
  info.weights_bytes = error ? 0 : static_cast<int64_t>(bytes);
  std::set<std::string_view> dtypes;
  std::set<const std::byte*> seen;
  for (const auto& [name, tensor] : package.weights->tensors()) {
    const int64_t elements = name.ends_with(kScalesSuffix) ? 0 : tensor.elements();
    if (elements > 0 && seen.insert(tensor.data).second) info.parameters += elements;  // one of two names
    dtypes.insert(Name(tensor.dtype));
  }
  info.dtypes = fmt::format("{}", fmt::join(dtypes, ", "));
  for (const char* key : kTellingKeys) {
    if (package.config.Has(key)) info.config.emplace_back(key, Value(package.config, key));
  }
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
      "directory   {}\ntype        {}\nruns        {}\nweights     {} ({:.1f} MiB, {})\nparameters  {} in {} tensors\n",
      info.directory, info.type, runs, info.weights, static_cast<double>(info.weights_bytes) / (1 << 20), info.dtypes,
      info.parameters, info.tensors);
  if (info.tokens > 0) fmt::format_to(std::back_inserter(out), "tokens      {}\n", info.tokens);
  for (size_t i = 0; i < info.config.size(); ++i) {
    fmt::format_to(std::back_inserter(out), "{:<12}{}: {}\n", i == 0 ? "config" : "", info.config[i].first,
                   info.config[i].second);
  }
  if (is_default) out += "default     yes: taken where no model is named\n";
  return out;
}

}  // namespace tutti
