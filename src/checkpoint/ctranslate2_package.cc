#include "checkpoint/ctranslate2_package.h"

#include <cstring>
#include <filesystem>
#include <utility>

#include "checkpoint/json_text.h"
#include "checkpoint/model_files.h"
#include "checkpoint/printable.h"
#include "checkpoint/whisper_config.h"
#include "checkpoint/whisper_tokenizer.h"

namespace tutti {
namespace {

// An integer variable without dimensions; `fallback` without one of this name.
absl::StatusOr<int64_t> ScalarVariable(const Checkpoint& weights, std::string_view name, int64_t fallback) {
  if (!weights.Has(name)) return fallback;
  TUTTI_ASSIGN_OR_RETURN(const TensorView view, weights.Find(name));
  const auto read = [&view](auto value) {
    std::memcpy(&value, view.data, sizeof(value));
    return int64_t{value};
  };
  if (view.elements() == 1 && view.dtype == DType::kI8) return read(int8_t{});
  if (view.elements() == 1 && view.dtype == DType::kI16) return read(int16_t{});
  if (view.elements() == 1 && view.dtype == DType::kI32) return read(int32_t{});
  return InvalidArgument("{}: {}: {} of {} elements, expected one integer", weights.path(), name, Name(view.dtype),
                         view.elements());
}

// What CTranslate2 can build of these layers and Whisper is not.
absl::Status CheckNetwork(const Checkpoint& weights) {
  struct Expected {
    const char* name;
    int64_t value;
    const char* meaning;
  };
  constexpr Expected kExpected[] = {{"decoder/pre_norm", 1, "norms before each block"},
                                    {"decoder/activation", 3, "GELU"},
                                    {"decoder/scale_embeddings", 0, "embeddings as they are"},
                                    {"decoder/alibi", 0, "positions from a table"}};
  for (const auto& [name, value, meaning] : kExpected) {
    TUTTI_ASSIGN_OR_RETURN(const int64_t found, ScalarVariable(weights, name, value));
    if (found == value) continue;
    return Unimplemented("{}: {}: found {}, expected {}: {}", weights.path(), name, found, value, meaning);
  }
  return absl::OkStatus();
}

absl::StatusOr<WhisperConfig> ParseConfigJson(const nlohmann::json& config, const Checkpoint& weights) {
  WhisperConfig whisper;
  TUTTI_ASSIGN_OR_RETURN(whisper.alignment_heads, WhisperIdsAt(config, "alignment_heads", true));
  TUTTI_ASSIGN_OR_RETURN(whisper.suppress_ids, WhisperIdsAt(config, "suppress_ids", false));
  TUTTI_ASSIGN_OR_RETURN(whisper.suppress_ids_begin, WhisperIdsAt(config, "suppress_ids_begin", false));
  TUTTI_ASSIGN_OR_RETURN(whisper.encoder_heads, ScalarVariable(weights, "encoder/num_heads", 0));
  TUTTI_ASSIGN_OR_RETURN(whisper.decoder_heads, ScalarVariable(weights, "decoder/num_heads", 0));
  return whisper;
}

}  // namespace

bool IsCtranslate2Package(const std::string& directory) {
  const std::filesystem::path path(directory);
  return HasFile(path / "model.bin") && HasFile(path / "config.json") && !HasFile(path / "config.yaml");
}

absl::StatusOr<ModelPackage> OpenCtranslate2Package(const std::string& directory) {
  const std::filesystem::path path(directory);
  const std::string config_path = (path / "config.json").string();
  ModelPackage package;
  package.directory = directory;
  package.format = "CTranslate2";
  TUTTI_ASSIGN_OR_RETURN(package.weights, Checkpoint::Open((path / "model.bin").string()));
  TUTTI_RETURN_IF_ERROR(CheckNetwork(*package.weights));
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(config_path, kMaxConfigFile));
  TUTTI_ASSIGN_OR_RETURN(const nlohmann::json document, ParseJsonObject(text, config_path));
  auto config = ParseConfigJson(document, *package.weights);
  if (!config.ok()) return WithContext(config.status(), config_path);
  TUTTI_ASSIGN_OR_RETURN(WhisperTokenizer tokenizer, ReadListedTokenizer(directory));
  TakeTokenizer(std::move(tokenizer), package);
  TUTTI_RETURN_IF_ERROR(ConfigureWhisper(*std::move(config), config_path, package));
  return package;
}

}  // namespace tutti
