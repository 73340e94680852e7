#include "checkpoint/model_package.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "checkpoint/ctranslate2_package.h"
#include "checkpoint/gguf_package.h"
#include "checkpoint/json_text.h"
#include "checkpoint/printable.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxTextFile = int64_t{64} << 20;
constexpr int64_t kMaxConfigFile = int64_t{1} << 20;

bool IsFile(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

// The path of a file that a configuration names. It must lie within the directory; links are followed, because model
// caches are made of them.
absl::StatusOr<std::string> Inside(const fs::path& directory, const std::string& name, std::string_view source) {
  const fs::path relative(name);
  const bool climbs = std::find(relative.begin(), relative.end(), "..") != relative.end();
  if (name.empty() || relative.is_absolute() || climbs || name.find('\0') != name.npos) {
    return InvalidArgument("{}: found {}, expected a file name within the model directory", source, Printable(name));
  }
  return (directory / relative).string();
}

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
  TUTTI_ASSIGN_OR_RETURN(const nlohmann::json document, ParseJson(text, path.string()));
  if (!document.is_object()) {
    return InvalidArgument("{}: found a JSON {}, expected an object", path.string(), document.type_name());
  }
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
  if (IsFile(configuration)) {
    TUTTI_ASSIGN_OR_RETURN(metas, ReadFilePathMetas(configuration));
  }
  std::string name = "config.yaml";
  if (metas.is_object() && metas.contains("config") && metas["config"].is_string()) {
    name = metas["config"].get<std::string>();
  }
  TUTTI_ASSIGN_OR_RETURN(const std::string path, Inside(directory, name, configuration.string() + ": config"));
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxConfigFile));
  TUTTI_ASSIGN_OR_RETURN(Config config, Config::ParseYaml(text, path));
  if (!metas.is_null()) {
    TUTTI_RETURN_IF_ERROR(MergeFilePaths(metas, "", configuration.string(), config));
    return config;
  }
  for (const auto& [key, file] : kKnownFiles) {
    if (!IsFile(directory / file)) continue;
    TUTTI_ASSIGN_OR_RETURN(config, config.With(key, file));
  }
  return config;
}

// The path that `key` names, or "" without such a key.
absl::StatusOr<std::string> FileOf(const Config& config, const fs::path& directory, std::string_view key) {
  TUTTI_ASSIGN_OR_RETURN(const std::string name, config.GetString(key, ""));
  if (name.empty()) return name;
  const std::string source = fmt::format("{}: {}", config.source_name(), key);
  TUTTI_ASSIGN_OR_RETURN(std::string path, Inside(directory, name, source));
  if (!IsFile(path)) return NotFound("{}: the model directory has no file {}", source, Printable(name));
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
  if (path.empty() && tokenizer == "SentencepiecesTokenizer" && IsFile(pieces)) path = pieces.string();
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

absl::StatusOr<ModelPackage> OpenDirectory(const std::string& directory) {
  ModelPackage package;
  package.directory = directory;
  TUTTI_ASSIGN_OR_RETURN(package.config, ReadConfig(directory));
  TUTTI_ASSIGN_OR_RETURN(package.model_type, package.config.GetString("model", ""));
  if (package.model_type.empty()) {
    return InvalidArgument("{}: model: missing, expected the model's class, such as Paraformer",
                           package.config.source_name());
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
    return IsCtranslate2Package(path) ? OpenCtranslate2Package(path) : OpenDirectory(path);
  }
  if (!IsFile(path)) return NotFound("{}: no such model directory or GGUF file", path);
  return OpenGgufPackage(path);
}

}  // namespace tutti
