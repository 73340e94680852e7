#include "checkpoint/huggingface_package.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "checkpoint/json_text.h"
#include "checkpoint/model_files.h"
#include "checkpoint/printable.h"
#include "checkpoint/whisper_names.h"
#include "checkpoint/whisper_tokenizer.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostShards = 1000;
// The first that is there is read.
constexpr const char* kWeightFiles[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                        "pytorch_model.bin.index.json"};

std::string WeightFileOf(const fs::path& directory) {
  for (const char* name : kWeightFiles) {
    if (HasFile(directory / name)) return (directory / name).string();
  }
  return "";
}

// A number that must be there, at least 1.
absl::StatusOr<int64_t> Positive(const nlohmann::json& config, const char* key) {
  const auto found = config.find(key);
  const bool good = found != config.end() && found->is_number_unsigned() && found->get<uint64_t>() >= 1 &&
                    found->get<uint64_t>() <= uint64_t{1} << 32;
  if (good) return found->get<int64_t>();
  return InvalidArgument("{}: found {}, expected a number from 1 up", key,
                         found == config.end() ? "nothing" : Printable(found->dump()));
}

// What transformers can build of these layers and Whisper is not.
absl::Status CheckIsWhisper(const nlohmann::json& config) {
  const std::pair<const char*, nlohmann::json> expected[] = {
      {"model_type", "whisper"}, {"activation_function", "gelu"}, {"scale_embedding", false}};
  for (const auto& [key, value] : expected) {
    const auto found = config.find(key);
    if (found == config.end() || *found == value) continue;
    return Unimplemented("{}: found {}, expected {}", key, Printable(found->dump()), value.dump());
  }
  if (config.contains("model_type")) return absl::OkStatus();
  return InvalidArgument("model_type: missing, expected \"whisper\"");
}

// All tensors of several files.
absl::StatusOr<std::shared_ptr<const Checkpoint>> OpenShards(const fs::path& directory, const std::string& index) {
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(index, kMaxTextFile));
  TUTTI_ASSIGN_OR_RETURN(const std::vector<std::string> files, ParseShardIndex(text, index));
  TensorMap tensors;
  std::vector<std::shared_ptr<const Checkpoint>> shards;
  for (const std::string& file : files) {
    TUTTI_ASSIGN_OR_RETURN(const std::string path, FileInside(directory, file, index));
    TUTTI_ASSIGN_OR_RETURN(std::shared_ptr<const Checkpoint> shard, Checkpoint::Open(path));
    for (const auto& [name, view] : shard->tensors()) {
      if (tensors.emplace(name, view).second) continue;
      return InvalidArgument("{}: tensor {}: an earlier file has it too", path, Printable(name));
    }
    shards.push_back(std::move(shard));
  }
  return std::make_shared<const Checkpoint>(index, std::move(tensors), std::vector<std::shared_ptr<const void>>(),
                                            std::move(shards));
}

}  // namespace

bool IsHuggingFacePackage(const std::string& directory) {
  const fs::path path(directory);
  return HasFile(path / "config.json") && !HasFile(path / "config.yaml") && !WeightFileOf(path).empty();
}

absl::StatusOr<std::vector<std::string>> ParseShardIndex(std::string_view text, const std::string& source_name) {
  TUTTI_ASSIGN_OR_RETURN(const nlohmann::json index, ParseJsonObject(text, source_name));
  const auto map = index.find("weight_map");
  if (map == index.end() || !map->is_object()) {
    return InvalidArgument("{}: weight_map: expected a map of tensors to files", source_name);
  }
  std::set<std::string> files;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) {
      return InvalidArgument("{}: weight_map: {}: found {}, expected a file's name", source_name, Printable(tensor),
                             Printable(file.dump()));
    }
    files.insert(file.get<std::string>());
  }
  if (files.empty() || files.size() > kMostShards) {
    return InvalidArgument("{}: weight_map: {} files, expected 1 to {}", source_name, files.size(), kMostShards);
  }
  return std::vector<std::string>(files.begin(), files.end());
}

absl::StatusOr<WhisperConfig> ParseHuggingFaceConfig(std::string_view config, std::string_view generation) {
  TUTTI_ASSIGN_OR_RETURN(const nlohmann::json model, ParseJsonObject(config, "config.json"));
  nlohmann::json decoding = nlohmann::json::object();
  if (!generation.empty()) {
    TUTTI_ASSIGN_OR_RETURN(decoding, ParseJsonObject(generation, "generation_config.json"));
  }
  if (const absl::Status status = CheckIsWhisper(model); !status.ok()) return WithContext(status, "config.json");
  WhisperConfig whisper;
  const auto heads = Positive(model, "encoder_attention_heads"), others = Positive(model, "decoder_attention_heads");
  for (const auto& found : {heads, others}) {
    if (!found.ok()) return WithContext(found.status(), "config.json");
  }
  whisper.encoder_heads = *heads;
  whisper.decoder_heads = *others;
  struct List {
    const char* key;
    bool of_pairs;
    std::optional<WhisperConfig::Ids>* ids;
  };
  for (const auto& [key, of_pairs, ids] : {List{"alignment_heads", true, &whisper.alignment_heads},
                                           {"suppress_tokens", false, &whisper.suppress_ids},
                                           {"begin_suppress_tokens", false, &whisper.suppress_ids_begin}}) {
    const std::pair<const char*, const nlohmann::json*> files[] = {{"generation_config.json", &decoding},
                                                                   {"config.json", &model}};
    for (const auto& [file, object] : files) {
      if (*ids) continue;
      auto found = WhisperIdsAt(*object, key, of_pairs);
      if (!found.ok()) return WithContext(found.status(), file);
      *ids = *std::move(found);
    }
  }
  return whisper;
}

absl::StatusOr<ModelPackage> OpenHuggingFacePackage(const std::string& directory) {
  const fs::path path(directory);
  const std::string config_path = (path / "config.json").string(), weights_path = WeightFileOf(path);
  ModelPackage package;
  package.directory = directory;
  package.format = "Hugging Face";
  TUTTI_ASSIGN_OR_RETURN(const std::string config_text, ReadFile(config_path, kMaxConfigFile));
  TUTTI_ASSIGN_OR_RETURN(const std::string generation, ReadIfThere(path / "generation_config.json", kMaxConfigFile));
  auto config = ParseHuggingFaceConfig(config_text, generation);
  if (!config.ok()) return WithContext(config.status(), directory);
  TUTTI_ASSIGN_OR_RETURN(
      auto weights, weights_path.ends_with(".json") ? OpenShards(path, weights_path) : Checkpoint::Open(weights_path));
  TUTTI_ASSIGN_OR_RETURN(package.weights, RenameWhisper(WhisperNames::kHuggingFace, weights));
  TUTTI_ASSIGN_OR_RETURN(WhisperTokenizer tokenizer, ReadWhisperTokenizer(directory, *package.weights));
  TakeTokenizer(std::move(tokenizer), package);
  TUTTI_RETURN_IF_ERROR(ConfigureWhisper(*std::move(config), config_path, package));
  return package;
}

}  // namespace tutti
