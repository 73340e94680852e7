#include <fmt/format.h>

#include "checkpoint/bpe_files.h"
#include "checkpoint/byte_bpe.h"
#include "checkpoint/json_text.h"
#include "checkpoint/printable.h"

namespace tutti {
namespace {

using nlohmann::json;

// An object's member, or null.
const json& Member(const json& object, const char* key) {
  static const json* const kNull = new json();
  if (!object.is_object()) return *kNull;
  const auto found = object.find(key);
  return found == object.end() ? *kNull : *found;
}

std::string Shown(const json& value) { return Printable(value.dump()); }

// Whether a truth value that may be missing is `expected`.
bool Is(const json& object, const char* key, bool expected, bool fallback) {
  const json& value = Member(object, key);
  return value.is_null() ? fallback == expected : value.is_boolean() && value.get<bool>() == expected;
}

absl::Status CheckKind(const json& document, std::string_view source) {
  const json &model = Member(document, "model"), &splitter = Member(document, "pre_tokenizer");
  const json& type = Member(model, "type");
  if (!type.is_null() && type != "BPE") return Unimplemented("{}: model.type: {}, expected BPE", source, Shown(type));
  if (Member(splitter, "type") != "ByteLevel" || !Is(splitter, "add_prefix_space", false, true) ||
      !Is(splitter, "use_regex", true, true)) {
    return Unimplemented("{}: pre_tokenizer: expected ByteLevel without add_prefix_space, with use_regex", source);
  }
  if (!Member(document, "normalizer").is_null()) {
    return Unimplemented("{}: normalizer: expected null; the text is to be taken as it is", source);
  }
  for (const char* key : {"ignore_merges", "byte_fallback"}) {
    if (!Is(model, key, false, false)) return Unimplemented("{}: model.{}: expected false", source, key);
  }
  // unk_token may be any: each byte has a token, so nothing is unknown.
  const json& dropout = Member(model, "dropout");
  if (!dropout.is_null() && dropout != 0) return Unimplemented("{}: model.dropout: expected none", source);
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const json& value = Member(model, key);
    if (!value.is_null() && !(value.is_string() && value.get_ref<const std::string&>().empty()))
      return Unimplemented("{}: model.{}: expected nothing", source, key);
  }
  return absl::OkStatus();
}

// A token of the file has the place that the vocabulary gives it.
absl::Status CheckToken(const std::string& text, const json& id, std::span<const std::string> vocabulary,
                        std::string_view field) {
  const bool inside = id.is_number_unsigned() && id.get<uint64_t>() < vocabulary.size();
  if (inside && vocabulary[id.get<uint64_t>()] == text) return absl::OkStatus();
  return InvalidArgument("{}: {} is token {}, the vocabulary of {} has {}", field, Printable(text), Shown(id),
                         vocabulary.size(), inside ? Printable(vocabulary[id.get<uint64_t>()]) : "no such token");
}

absl::StatusOr<std::string> MergeText(const json& merge, size_t index) {
  if (merge.is_string()) return merge.get<std::string>();
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return fmt::format("{} {}", merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>());
  }
  return InvalidArgument("model.merges[{}]: expected \"left right\" or [\"left\", \"right\"]", index);
}

absl::StatusOr<std::string> AddedText(const json& token, std::span<const std::string> vocabulary, size_t index) {
  const json& content = Member(token, "content");
  const std::string field = fmt::format("added_tokens[{}]", index);
  if (!content.is_string()) return InvalidArgument("{}: content: expected a text", field);
  for (const char* key : {"single_word", "lstrip", "rstrip"}) {
    if (!Is(token, key, false, false)) return Unimplemented("{}: {}: expected false", field, key);
  }
  auto text = content.get<std::string>();
  TUTTI_RETURN_IF_ERROR(CheckToken(text, Member(token, "id"), vocabulary, field));
  return text;
}

absl::StatusOr<BpeTables> ReadTables(const json& document, std::span<const std::string> vocabulary) {
  const json& model = Member(document, "model");
  const json &words = Member(model, "vocab"), &merges = Member(model, "merges");
  const json& added = Member(document, "added_tokens");
  if (!words.is_object()) return InvalidArgument("model.vocab: expected a map of texts to ids");
  if (!merges.is_array()) return InvalidArgument("model.merges: expected a list");
  if (!added.is_null() && !added.is_array()) return InvalidArgument("added_tokens: expected a list");
  for (const auto& [text, id] : words.items()) {
    TUTTI_RETURN_IF_ERROR(CheckToken(text, id, vocabulary, "model.vocab"));
  }
  BpeTables tables;
  for (const json& merge : merges) {
    TUTTI_ASSIGN_OR_RETURN(std::string text, MergeText(merge, tables.merges.size()));
    tables.merges.push_back(std::move(text));
  }
  for (size_t i = 0; i < added.size(); ++i) {
    TUTTI_ASSIGN_OR_RETURN(std::string text, AddedText(added[i], vocabulary, i));
    if (!text.empty()) tables.added.push_back(std::move(text));
  }
  return tables;
}

// What the file calls each token.
absl::StatusOr<std::map<int64_t, std::string>> TokensOfDocument(const json& document) {
  std::map<int64_t, std::string> tokens;
  const auto add = [&tokens](const std::string& text, const json& id, std::string_view field) -> absl::Status {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= uint64_t{kMostBpeTokens}) {
      return InvalidArgument("{}: {} is token {}, expected a number below {}", field, Printable(text), Shown(id),
                             kMostBpeTokens);
    }
    return AddBpeToken(text, id.get<int64_t>(), field, tokens);
  };
  const json &words = Member(Member(document, "model"), "vocab"), &added = Member(document, "added_tokens");
  if (words.is_object()) {
    for (const auto& [text, id] : words.items()) TUTTI_RETURN_IF_ERROR(add(text, id, "model.vocab"));
  }
  for (const json& token : added.is_array() ? added : json::array()) {
    const json& content = Member(token, "content");
    if (!content.is_string()) continue;
    TUTTI_RETURN_IF_ERROR(add(content.get<std::string>(), Member(token, "id"), "added_tokens"));
  }
  return tokens;
}

}  // namespace

absl::StatusOr<BpeVocabulary> ParseTokenizerVocabulary(std::string_view text, std::string_view source_name) {
  TUTTI_ASSIGN_OR_RETURN(const json document, ParseJson(text, source_name));
  TUTTI_RETURN_IF_ERROR(CheckKind(document, source_name));
  auto tokens = TokensOfDocument(document);
  if (!tokens.ok()) return WithContext(tokens.status(), source_name);
  // Ids may have gaps here; a text that stands for none of the file's own tokens fills them.
  std::vector<std::string> list(tokens->empty() ? 0 : static_cast<size_t>(tokens->rbegin()->first) + 1);
  for (const auto& [id, token] : *tokens) list[static_cast<size_t>(id)] = token;
  auto tables = ReadTables(document, list);
  if (!tables.ok()) return WithContext(tables.status(), source_name);
  return BpeVocabulary{.tokens = *std::move(tokens), .tables = *std::move(tables)};
}

absl::StatusOr<BpeTables> ParseTokenizerJson(std::string_view text, std::span<const std::string> vocabulary,
                                             std::string_view source_name) {
  TUTTI_ASSIGN_OR_RETURN(const json document, ParseJson(text, source_name));
  TUTTI_RETURN_IF_ERROR(CheckKind(document, source_name));
  auto tables = ReadTables(document, vocabulary);
  if (!tables.ok()) return WithContext(tables.status(), source_name);
  return tables;
}

}  // namespace tutti
