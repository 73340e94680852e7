#include "checkpoint/whisper_config.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "checkpoint/json_text.h"
#include "checkpoint/model_files.h"
#include "checkpoint/printable.h"

namespace tutti {
namespace {

struct PublishedHeads {
  int64_t layers, heads, vocabulary;
  std::vector<int64_t> pairs;
};

// The heads whose attention follows the speech, as OpenAI published them with each model. large-v1 and large-v2 have
// the same sizes; these are large-v2's.
const std::vector<PublishedHeads>& AllPublishedHeads() {
  static const auto* const kHeads = new std::vector<PublishedHeads>{
      // tiny.en, tiny
      {4, 6, 51864, {1, 0, 2, 0, 2, 5, 3, 0, 3, 1, 3, 2, 3, 3, 3, 4}},
      {4, 6, 51865, {2, 2, 3, 0, 3, 2, 3, 3, 3, 4, 3, 5}},
      // base.en, base
      {6, 8, 51864, {3, 3, 4, 7, 5, 1, 5, 5, 5, 7}},
      {6, 8, 51865, {3, 1, 4, 2, 4, 3, 4, 7, 5, 1, 5, 2, 5, 4, 5, 6}},
      // small.en, small
      {12, 12, 51864, {6, 6, 7,  0,  7, 3,  7, 8,  8, 2,  8, 5,  8, 7,  9,  0,  9, 4,  9,
                       8, 9, 10, 10, 0, 10, 1, 10, 2, 10, 3, 10, 6, 10, 11, 11, 2, 11, 4}},
      {12, 12, 51865, {5, 3, 5, 9, 8, 0, 8, 4, 8, 7, 8, 8, 9, 0, 9, 7, 9, 9, 10, 5}},
      // medium.en, medium
      {24, 16, 51864, {11, 4,  14, 1, 14, 12, 14, 14, 15, 4, 16, 0, 16, 4, 16, 9,  17, 12,
                       17, 14, 18, 7, 18, 10, 18, 15, 20, 0, 20, 3, 20, 9, 20, 14, 21, 12}},
      {24, 16, 51865, {13, 15, 15, 4, 15, 15, 16, 1, 20, 0, 23, 4}},
      // large-v2, large-v3
      {32, 20, 51865, {10, 12, 13, 17, 16, 11, 16, 12, 16, 13, 17, 15, 17, 16, 18, 4,  18, 11, 18, 19, 19, 11, 21,
                       2,  21, 3,  22, 3,  22, 9,  22, 12, 23, 5,  23, 7,  23, 13, 25, 5,  26, 1,  26, 12, 27, 15}},
      {32, 20, 51866, {7, 0, 10, 17, 12, 18, 13, 12, 16, 1, 17, 14, 19, 11, 21, 4, 24, 1, 25, 6}},
      // large-v3-turbo
      {4, 20, 51866, {2, 4, 2, 11, 3, 3, 3, 6, 3, 11, 3, 14}}};
  return *kHeads;
}

// Symbols that text in captions has and speech has not. Of a note of music the first token is enough: those that share
// it are notes and signs, too.
constexpr std::string_view kSymbols[] = {"\"",  "#",  "(",  ")",   "*",   "+",   "/",   ":",  ";",   "<",  "=",  "@",
                                         "[",   "\\", "]",  "^",   "_",   "`",   "{",   "|",  "}",   "~",  "「", "」",
                                         "『",  "』", ">",  "<<",  ">>",  "<<<", ">>>", "--", "---", "-(", "-[", "('",
                                         "(\"", "((", "))", "(((", ")))", "[[",  "]]",  "{{", "}}",  "♪♪", "♪♪♪"};
constexpr std::string_view kNotes[] = {"♩", "♪", "♫", "♬", "♭", "♮", "♯"};

absl::StatusOr<std::set<int64_t>> NotSpoken(const ByteBpe& bpe) {
  std::set<int64_t> ids;
  const auto add = [&](std::string_view symbol, bool only_whole) -> absl::Status {
    for (const std::string_view space : {"", " "}) {
      TUTTI_ASSIGN_OR_RETURN(const auto tokens, bpe.Encode(fmt::format("{}{}", space, symbol)));
      if (tokens.size() == 1 || !only_whole) ids.insert(tokens.front());
    }
    return absl::OkStatus();
  };
  for (const std::string_view symbol : kSymbols) TUTTI_RETURN_IF_ERROR(add(symbol, true));
  for (const std::string_view note : kNotes) TUTTI_RETURN_IF_ERROR(add(note, false));
  // A hyphen or an apostrophe within a word is spoken, at its beginning it is a speaker's mark.
  for (const char* mark : {" -", " '"}) {
    TUTTI_ASSIGN_OR_RETURN(const auto tokens, bpe.Encode(mark));
    ids.insert(tokens.front());
  }
  return ids;
}

std::vector<int64_t> PublishedFor(int64_t layers, int64_t heads, int64_t vocabulary) {
  for (const PublishedHeads& published : AllPublishedHeads()) {
    if (published.layers == layers && published.heads == heads && published.vocabulary == vocabulary) {
      return published.pairs;
    }
  }
  return {};
}

absl::Status FillIn(const ModelPackage& package, WhisperConfig& config) {
  if (!config.alignment_heads) {
    int64_t layers = 0;
    while (package.weights->Has(fmt::format("decoder/layer_{}/self_attention/linear_0/weight", layers))) ++layers;
    config.alignment_heads = PublishedFor(layers, config.decoder_heads, static_cast<int64_t>(package.tokens.size()));
  }
  // Retrained models have an empty list, which is none; the reference does not read it.
  if (config.suppress_ids && config.suppress_ids->empty()) config.suppress_ids.reset();
  if (config.suppress_ids && config.suppress_ids_begin) return absl::OkStatus();
  const auto id_of = [&package](std::string_view text) {
    const auto found = std::ranges::find(package.tokens, text);
    return found == package.tokens.end() ? int64_t{-1} : static_cast<int64_t>(found - package.tokens.begin());
  };
  const int64_t end = id_of("<|endoftext|>");
  if (end < 0) return InvalidArgument("the vocabulary has no <|endoftext|>");
  TUTTI_ASSIGN_OR_RETURN(const ByteBpe bpe, ByteBpe::Make(package.tokens, static_cast<int32_t>(end), package.bpe));
  if (!config.suppress_ids) {
    TUTTI_ASSIGN_OR_RETURN(std::set<int64_t> ids, NotSpoken(bpe));
    for (const std::string_view text : {"<|startoftranscript|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>",
                                        "<|startofprev|>", "<|nospeech|>", "<|nocaptions|>"}) {
      if (const int64_t id = id_of(text); id >= 0) ids.insert(id);
    }
    config.suppress_ids.emplace(ids.begin(), ids.end());
  }
  if (!config.suppress_ids_begin) {
    TUTTI_ASSIGN_OR_RETURN(const auto space, bpe.Encode(" "));
    config.suppress_ids_begin.emplace(space.begin(), space.end());
    config.suppress_ids_begin->push_back(end);
  }
  return absl::OkStatus();
}

absl::Status CheckPreprocessor(const ModelPackage& package) {
  const std::string path = package.directory + "/preprocessor_config.json";
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadIfThere(path, kMaxConfigFile * 4));  // older ones hold the filters
  if (text.empty()) return absl::OkStatus();
  TUTTI_ASSIGN_OR_RETURN(const nlohmann::json config, ParseJsonObject(text, path));
  TUTTI_ASSIGN_OR_RETURN(const TensorView first, package.weights->Find("encoder/conv1/weight"));
  if (first.shape.size() != 3) return absl::OkStatus();  // refused with the other sizes
  const int64_t mels = first.shape[1];
  const std::pair<const char*, int64_t> expected[] = {
      {"feature_size", mels}, {"sampling_rate", 16'000}, {"n_fft", 400}, {"hop_length", 160}};
  for (const auto& [key, value] : expected) {
    const auto found = config.find(key);
    if (found == config.end() || *found == value) continue;
    return InvalidArgument("{}: {}: found {}, expected {}", path, key, Printable(found->dump()), value);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ConfigureWhisper(WhisperConfig config, const std::string& source_name, ModelPackage& package) {
  TUTTI_RETURN_IF_ERROR(CheckPreprocessor(package));
  if (const absl::Status status = FillIn(package, config); !status.ok()) return WithContext(status, package.directory);
  const std::string yaml = fmt::format(
      "model: Whisper\n"
      "encoder_heads: {}\n"
      "decoder_heads: {}\n"
      "alignment_heads: [{}]\n"
      "suppress_ids: [{}]\n"
      "suppress_ids_begin: [{}]\n",
      config.encoder_heads, config.decoder_heads, fmt::join(*config.alignment_heads, ", "),
      fmt::join(*config.suppress_ids, ", "), fmt::join(*config.suppress_ids_begin, ", "));
  package.model_type = "Whisper";
  TUTTI_ASSIGN_OR_RETURN(package.config, Config::ParseYaml(yaml, source_name));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<WhisperConfig::Ids>> WhisperIdsAt(const nlohmann::json& object, const char* key,
                                                               bool of_pairs) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::nullopt;
  const char* expected = of_pairs ? "a list of pairs of integers" : "a list of integers";
  if (!found->is_array()) return InvalidArgument("{}: found a JSON {}, expected {}", key, found->type_name(), expected);
  WhisperConfig::Ids ids;
  const auto add = [&ids](const nlohmann::json& item) {
    if (item.is_number_integer()) ids.push_back(item.get<int64_t>());
    return item.is_number_integer();
  };
  for (const auto& item : *found) {
    const bool good = of_pairs ? item.is_array() && item.size() == 2 && add(item[0]) && add(item[1]) : add(item);
    if (!good) return InvalidArgument("{}: found {} in it, expected {}", key, Printable(item.dump()), expected);
  }
  return ids;
}

}  // namespace tutti
