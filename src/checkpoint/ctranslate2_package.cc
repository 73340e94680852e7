#include "checkpoint/ctranslate2_package.h"

#include <fmt/ranges.h>

#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "checkpoint/json_text.h"
#include "checkpoint/printable.h"

namespace tutti {
namespace {

constexpr int64_t kMaxPackageText = int64_t{64} << 20;
constexpr int64_t kMaxPackageConfig = int64_t{1} << 20;

bool HasFile(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

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

// A list of integers at `key` of config.json; of pairs when `of_pairs`, which follow each other in the result.
absl::StatusOr<std::vector<int64_t>> IntegersAt(const nlohmann::json& config, const char* key, bool of_pairs) {
  std::vector<int64_t> integers;
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return integers;
  const char* expected = of_pairs ? "a list of pairs of integers" : "a list of integers";
  if (!found->is_array()) return InvalidArgument("{}: found a JSON {}, expected {}", key, found->type_name(), expected);
  const auto add = [&integers](const nlohmann::json& item) {
    if (item.is_number_integer()) integers.push_back(item.get<int64_t>());
    return item.is_number_integer();
  };
  for (const auto& item : *found) {
    const bool good = of_pairs ? item.is_array() && item.size() == 2 && add(item[0]) && add(item[1]) : add(item);
    if (!good) return InvalidArgument("{}: found {} in it, expected {}", key, Printable(item.dump()), expected);
  }
  return integers;
}

absl::StatusOr<std::string> YamlOf(const nlohmann::json& config, const Checkpoint& weights) {
  if (!config.is_object()) return InvalidArgument("found a JSON {}, expected an object", config.type_name());
  TUTTI_ASSIGN_OR_RETURN(const auto heads, IntegersAt(config, "alignment_heads", true));
  TUTTI_ASSIGN_OR_RETURN(const auto suppressed, IntegersAt(config, "suppress_ids", false));
  TUTTI_ASSIGN_OR_RETURN(const auto suppressed_first, IntegersAt(config, "suppress_ids_begin", false));
  TUTTI_ASSIGN_OR_RETURN(const int64_t encoder_heads, ScalarVariable(weights, "encoder/num_heads", 0));
  TUTTI_ASSIGN_OR_RETURN(const int64_t decoder_heads, ScalarVariable(weights, "decoder/num_heads", 0));
  return fmt::format(
      "model: Whisper\n"
      "encoder_heads: {}\n"
      "decoder_heads: {}\n"
      "alignment_heads: [{}]\n"
      "suppress_ids: [{}]\n"
      "suppress_ids_begin: [{}]\n",
      encoder_heads, decoder_heads, fmt::join(heads, ", "), fmt::join(suppressed, ", "),
      fmt::join(suppressed_first, ", "));
}

absl::StatusOr<Config> ReadConfigJson(const std::string& path, const Checkpoint& weights) {
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxPackageConfig));
  TUTTI_ASSIGN_OR_RETURN(const nlohmann::json config, ParseJson(text, path));
  const auto yaml = YamlOf(config, weights);
  if (!yaml.ok()) return WithContext(yaml.status(), path);
  return Config::ParseYaml(*yaml, path);
}

absl::StatusOr<std::vector<std::string>> ReadVocabulary(const std::filesystem::path& directory) {
  // vocabulary.json is what newer converters write.
  const std::filesystem::path json = directory / "vocabulary.json", text = directory / "vocabulary.txt";
  if (HasFile(json)) {
    TUTTI_ASSIGN_OR_RETURN(const std::string file, ReadFile(json.string(), kMaxPackageText));
    return ParseTokensJson(file, json.string());
  }
  if (!HasFile(text)) return NotFound("{}: has neither vocabulary.json nor vocabulary.txt", directory.string());
  TUTTI_ASSIGN_OR_RETURN(const std::string file, ReadFile(text.string(), kMaxPackageText));
  return ParseTokensText(file);
}

}  // namespace

bool IsCtranslate2Package(const std::string& directory) {
  const std::filesystem::path path(directory);
  return HasFile(path / "model.bin") && HasFile(path / "config.json") && !HasFile(path / "config.yaml");
}

absl::StatusOr<ModelPackage> OpenCtranslate2Package(const std::string& directory) {
  const std::filesystem::path path(directory);
  ModelPackage package;
  package.directory = directory;
  package.model_type = "Whisper";
  TUTTI_ASSIGN_OR_RETURN(package.weights, Checkpoint::Open((path / "model.bin").string()));
  TUTTI_RETURN_IF_ERROR(CheckNetwork(*package.weights));
  TUTTI_ASSIGN_OR_RETURN(package.config, ReadConfigJson((path / "config.json").string(), *package.weights));
  TUTTI_ASSIGN_OR_RETURN(package.tokens, ReadVocabulary(path));
  const std::string tokenizer = (path / "tokenizer.json").string();
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(tokenizer, kMaxPackageText));
  TUTTI_ASSIGN_OR_RETURN(package.bpe, ParseTokenizerJson(text, package.tokens, tokenizer));
  return package;
}

}  // namespace tutti
