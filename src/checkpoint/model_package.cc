#include "checkpoint/model_package.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "checkpoint/ctranslate2_package.h"
#include "checkpoint/gguf_package.h"
#include "checkpoint/huggingface_package.h"
#include "checkpoint/json_text.h"
#include "checkpoint/model_files.h"
#include "checkpoint/openai_package.h"
#include "checkpoint/printable.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;

// Puts the string leaves of file_path_metas into `config` under the same keys.
absl::Status MergeFilePaths(const nlohmann::json& metas, const std::string& prefix, std::string_view source,
                            Config& config) {
  constexpr size_t kLongestPath = 1000;  // a limit on the depth as well
  if (prefix.size() > kLongestPath) return InvalidArgument("{}: file_path_metas: nested too deep", source);
  for (const auto& [key, value] : metas.items()) {
    const std::string path = prefix + key;
    if (value.is_object()) {
      TUTTI_RETURN_IF_ERROR(MergeFilePaths(value, path + ".", source, config));
    } else if (value.is_string()) {
      TUTTI_ASSIGN_OR_RETURN(config, config.With(path, value.get<std::string>()));
    }
  }
  return absl::OkStatus();
}

// configuration.json's file_path_metas; null without that file or that key.
absl::StatusOr<nlohmann::json> ReadFilePathMetas(const fs::path& path) {
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(path.string(), kMaxConfigFile));
  TUTTI_ASSIGN_OR_RETURN(const nlohmann::json document, ParseJsonObject(text, path.string()));
  auto metas = document.value("file_path_metas", nlohmann::json());
  if (metas.is_null() || metas.is_object()) return metas;
  return InvalidArgument("{}: file_path_metas: found a JSON {}, expected a map of file names", path.string(),
                         metas.type_name());
}

// The files that FunASR looks for when no configuration.json names them; the last one that exists wins.
constexpr std::pair<const char*, const char*> kKnownFiles[] = {
    {"init_param", "model.onnx"},
    {"init_param", "model.pb"},
    {"init_param", "model.pt"},
    {"tokenizer_conf.token_list", "tokens.txt"},
    {"tokenizer_conf.token_list", "tokens.json"},
    {"tokenizer_conf.seg_dict_file", "seg_dict"},
    {"frontend_conf.cmvn_file", "am.mvn"},
};

// Config.yaml with the paths of the model's files merged over it.
absl::StatusOr<Config> ReadConfig(const fs::path& directory) {
  const fs::path configuration = directory / "configuration.json";
  nlohmann::json metas;
  if (HasFile(configuration)) {
    TUTTI_ASSIGN_OR_RETURN(metas, ReadFilePathMetas(configuration));
  }
  std::string name = "config.yaml";
  if (metas.is_object() && metas.contains("config") && metas["config"].is_string()) {
    name = metas["config"].get<std::string>();
  }
  TUTTI_ASSIGN_OR_RETURN(const std::string path, FileInside(directory, name, configuration.string() + ": config"));
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxConfigFile));
  TUTTI_ASSIGN_OR_RETURN(Config config, Config::ParseYaml(text, path));
  if (!metas.is_null()) {
    TUTTI_RETURN_IF_ERROR(MergeFilePaths(metas, "", configuration.string(), config));
    return config;
  }
  for (const auto& [key, file] : kKnownFiles) {
    if (!HasFile(directory / file)) continue;
    TUTTI_ASSIGN_OR_RETURN(config, config.With(key, file));
  }
  return config;
}

// The path that `key` names, or "" without such a key.
absl::StatusOr<std::string> FileOf(const Config& config, const fs::path& directory, std::string_view key) {
  TUTTI_ASSIGN_OR_RETURN(const std::string name, config.GetString(key, ""));
  if (name.empty()) return name;
  const std::string source = fmt::format("{}: {}", config.source_name(), key);
  TUTTI_ASSIGN_OR_RETURN(std::string path, FileInside(directory, name, source));
  if (!HasFile(path)) return NotFound("{}: the model directory has no file {}", source, Printable(name));
  return path;
}

absl::StatusOr<std::string> ReadIfNamed(const std::string& path) {
  if (path.empty()) return std::string();
  return ReadFile(path, kMaxTextFile);
}

absl::StatusOr<std::vector<std::string>> ReadTokens(const Config& config, const fs::path& directory) {
  constexpr std::string_view kKey = "tokenizer_conf.token_list";
  if (auto inline_list = config.GetStrings(kKey, {}); inline_list.ok()) return inline_list;
  TUTTI_ASSIGN_OR_RETURN(std::string path, FileOf(config, directory, kKey));
  // Packages with a SentencePiece model name that alone, but hold its pieces as a list too.
  TUTTI_ASSIGN_OR_RETURN(const std::string tokenizer, config.GetString("tokenizer", ""));
  const fs::path pieces = directory / "tokens.json";
  if (path.empty() && tokenizer == "SentencepiecesTokenizer" && HasFile(pieces)) path = pieces.string();
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadIfNamed(path));
  if (path.ends_with(".json")) return ParseTokensJson(text, path);
  return ParseTokensText(text);
}

absl::StatusOr<SegDict> ReadSegDict(const Config& config, const fs::path& directory) {
  // Two names for one thing: configuration.json says seg_dict_file, config.yaml seg_dict.
  const char* key =
      config.Has("tokenizer_conf.seg_dict_file") ? "tokenizer_conf.seg_dict_file" : "tokenizer_conf.seg_dict";
  TUTTI_ASSIGN_OR_RETURN(const std::string path, FileOf(config, directory, key));
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadIfNamed(path));
  return ParseSegDict(text);
}

absl::StatusOr<std::shared_ptr<const Checkpoint>> OpenWeights(const Config& config, const fs::path& directory) {
  TUTTI_ASSIGN_OR_RETURN(const std::string path, FileOf(config, directory, "init_param"));
  if (!path.empty()) return Checkpoint::Open(path);
  return NotFound("{}: no weights: expected model.pt, or init_param in configuration.json", directory.string());
}

// Whether FunASR runs it with OpenAI's package: Whisper-large-v3, WhisperWarp, …
bool IsOpenAiModel(std::string_view model_type) {
  return model_type == "WhisperWarp" || model_type.starts_with("Whisper-");
}

// The one file that ends in .pt.
absl::StatusOr<std::string> OnlyTorchFile(const fs::path& directory) {
  std::vector<std::string> found;
  std::error_code error;
  for (auto entry = fs::directory_iterator(directory, error); entry != fs::directory_iterator();
       entry.increment(error)) {
    if (error) break;
    if (entry->path().extension() == ".pt" && HasFile(entry->path())) found.push_back(entry->path().string());
  }
  if (found.size() == 1) return found[0];
  if (found.empty()) {
    return NotFound(
        "{}: no model: expected config.yaml and model.pt (FunASR), config.json with model.bin (CTranslate2) or "
        "model.safetensors (Hugging Face), or one .pt file (OpenAI)",
        directory.string());
  }
  return InvalidArgument(
      "{}: {} files that end in .pt, expected one; name the one that is meant in place of the "
      "directory",
      directory.string(), found.size());
}

absl::StatusOr<ModelPackage> OpenDirectory(const std::string& directory) {
  const fs::path path(directory);
  if (!HasFile(path / "config.yaml") && !HasFile(path / "configuration.json")) {
    TUTTI_ASSIGN_OR_RETURN(const std::string weights, OnlyTorchFile(path));
    auto whisper = OpenOpenAiPackage(directory, weights, Config());
    if (whisper.ok()) return whisper;
    return WithContext(whisper.status(),
                       "without a config.yaml, which FunASR's models have, taken for OpenAI's Whisper");
  }
  ModelPackage package;
  package.directory = directory;
  package.format = "FunASR";
  TUTTI_ASSIGN_OR_RETURN(package.config, ReadConfig(directory));
  TUTTI_ASSIGN_OR_RETURN(package.model_type, package.config.GetString("model", ""));
  if (package.model_type.empty()) {
    return InvalidArgument("{}: model: missing, expected the model's class, such as Paraformer",
                           package.config.source_name());
  }
  if (IsOpenAiModel(package.model_type)) {
    TUTTI_ASSIGN_OR_RETURN(std::string weights, FileOf(package.config, directory, "init_param"));
    if (weights.empty()) {
      TUTTI_ASSIGN_OR_RETURN(weights, OnlyTorchFile(path));
    }
    return OpenOpenAiPackage(directory, weights, package.config);
  }
  TUTTI_ASSIGN_OR_RETURN(package.weights, OpenWeights(package.config, directory));
  TUTTI_ASSIGN_OR_RETURN(const std::string cmvn, FileOf(package.config, directory, "frontend_conf.cmvn_file"));
  if (!cmvn.empty()) {
    TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(cmvn, kMaxTextFile));
    TUTTI_ASSIGN_OR_RETURN(package.cmvn, ParseCmvn(text, cmvn));
  }
  TUTTI_ASSIGN_OR_RETURN(package.tokens, ReadTokens(package.config, directory));
  TUTTI_ASSIGN_OR_RETURN(package.seg_dict, ReadSegDict(package.config, directory));
  return package;
}

}  // namespace

absl::StatusOr<ModelPackage> ModelPackage::Open(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    if (IsCtranslate2Package(path)) return OpenCtranslate2Package(path);
    return IsHuggingFacePackage(path) ? OpenHuggingFacePackage(path) : OpenDirectory(path);
  }
  if (!HasFile(path)) return NotFound("{}: no such model directory, GGUF file or .pt file", path);
  const fs::path file(path);
  if (file.extension() != ".pt") return OpenGgufPackage(path);
  const std::string directory = file.has_parent_path() ? file.parent_path().string() : ".";
  return OpenOpenAiPackage(directory, path, Config());
}

}  // namespace tutti
