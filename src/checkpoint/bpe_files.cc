#include "checkpoint/bpe_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/utf8.h"
#include "checkpoint/byte_letters.h"
#include "checkpoint/json_text.h"
#include "checkpoint/printable.h"
#include "checkpoint/text_lines.h"

namespace tutti {
namespace {

constexpr std::string_view kNoTimes = "<|notimestamps|>";
// GPT-2's longest word has 128 bytes. A longer one would take the square of its length to take apart.
constexpr size_t kLongestMerged = 256;

// A JSON map of texts to ids.
absl::Status AddTokens(std::string_view text, std::string_view source, BpeVocabulary& vocabulary,
                       std::set<int64_t>* ids) {
  TUTTI_ASSIGN_OR_RETURN(const nlohmann::json document, ParseJson(text, source));
  if (!document.is_object()) {
    return InvalidArgument("{}: found a JSON {}, expected a map of texts to ids", source, document.type_name());
  }
  for (const auto& [token, id] : document.items()) {
    if (!id.is_number_unsigned()) {
      return InvalidArgument("{}: {} is token {}, expected a number", source, Printable(token), Printable(id.dump()));
    }
    const uint64_t number = std::min<uint64_t>(id.get<uint64_t>(), kMostBpeTokens);
    TUTTI_RETURN_IF_ERROR(AddBpeToken(token, static_cast<int64_t>(number), source, vocabulary.tokens));
    if (ids != nullptr) ids->insert(static_cast<int64_t>(number));
  }
  return absl::OkStatus();
}

// Some writers leave the padding out; OpenAI's file has a line of padding alone, the empty word.
std::optional<std::string> FromBase64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  text = text.substr(0, text.find_last_not_of('=') + 1);
  std::string bytes;
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const size_t digit = kDigits.find(c);
    if (digit == kDigits.npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes += static_cast<char>(bits >> held & 0xFF);
  }
  return held < 6 ? std::optional(std::move(bytes)) : std::nullopt;
}

using Ranks = std::unordered_map<std::string_view, int64_t>;

// Where the last two parts of `word` meet when it is merged by what comes before it; 0 when it does not end as two.
size_t LastMeeting(std::string_view word, const Ranks& ranks) {
  const int64_t own = ranks.at(word);
  std::vector<size_t> ends;  // of each part
  for (size_t at = 0; at < word.size();) ends.push_back(at += FirstLetter(word.substr(at)).size);
  if (ends.size() > kLongestMerged) return 0;
  while (ends.size() > 2) {
    int64_t lowest = own;
    size_t best = 0;
    for (size_t i = 0, begin = 0; i + 1 < ends.size(); begin = ends[i++]) {
      const auto found = ranks.find(word.substr(begin, ends[i + 1] - begin));
      if (found == ranks.end() || found->second >= lowest) continue;
      lowest = found->second;
      best = i;
    }
    if (lowest == own) return 0;
    ends.erase(ends.begin() + static_cast<std::ptrdiff_t>(best));
  }
  return ends.size() == 2 ? ends[0] : 0;
}

}  // namespace

absl::Status AddBpeToken(const std::string& text, int64_t id, std::string_view source_name,
                         std::map<int64_t, std::string>& tokens) {
  if (id < 0 || id >= kMostBpeTokens) {
    return InvalidArgument("{}: {} is token {}, expected 0 to {}", source_name, Printable(text), id,
                           kMostBpeTokens - 1);
  }
  const auto [place, is_new] = tokens.emplace(id, text);
  if (is_new || place->second == text) return absl::OkStatus();
  return InvalidArgument("{}: token {} is {} and {}", source_name, id, Printable(place->second), Printable(text));
}

absl::StatusOr<BpeVocabulary> ParseVocabularyFiles(const VocabularyFiles& files, std::string_view source_name) {
  constexpr std::string_view kEnd = "<|endoftext|>", kVersion = "#version";
  BpeVocabulary vocabulary;
  std::set<int64_t> added;
  TUTTI_RETURN_IF_ERROR(AddTokens(files.vocab, fmt::format("{}: vocab.json", source_name), vocabulary, nullptr));
  for (const auto& [id, token] : vocabulary.tokens) {
    if (token == kEnd) added.insert(id);
  }
  if (!files.added.empty()) {
    const std::string source = fmt::format("{}: added_tokens.json", source_name);
    TUTTI_RETURN_IF_ERROR(AddTokens(files.added, source, vocabulary, &added));
  }
  for (const int64_t id : added) {
    const std::string& token = vocabulary.tokens[id];
    const bool is_time = token.size() > 2 && token.starts_with("<|") && token[2] >= '0' && token[2] <= '9';
    if (!is_time) vocabulary.tables.added.push_back(token);
  }
  for (const std::string_view line : Lines(files.merges)) {
    const bool is_first = vocabulary.tables.merges.empty();
    const std::string_view merge = line.substr(0, line.find_last_not_of(kAsciiSpace) + 1);
    if (merge.empty() || (is_first && merge.starts_with(kVersion))) continue;
    vocabulary.tables.merges.emplace_back(merge);
  }
  return vocabulary;
}

absl::StatusOr<BpeVocabulary> ParseTiktoken(std::string_view text, std::string_view source_name) {
  BpeVocabulary vocabulary;
  size_t number = 0;
  for (const std::string_view line : Lines(text)) {
    ++number;
    const auto fields = Fields(line);
    if (fields.empty()) continue;
    int64_t id = -1;
    const auto bytes = FromBase64(fields[0]);
    bool good = fields.size() == 2 && bytes.has_value();
    if (good) {
      const auto [end, error] = std::from_chars(fields[1].data(), fields[1].data() + fields[1].size(), id);
      good = error == std::errc() && end == fields[1].data() + fields[1].size();
    }
    if (!good) {
      return InvalidArgument("{}: line {}: {}, expected base64 and a number", source_name, number, Printable(line));
    }
    TUTTI_RETURN_IF_ERROR(AddBpeToken(InLetters(*bytes), id, source_name, vocabulary.tokens));
  }
  const auto words = static_cast<int64_t>(vocabulary.tokens.size());
  if (words == 0 || vocabulary.tokens.rbegin()->first != words - 1) {
    return InvalidArgument("{}: {} words, expected their numbers to be 0 to {}", source_name, words, words - 1);
  }
  std::vector<std::string> in_order;
  for (const auto& [id, word] : vocabulary.tokens) in_order.push_back(word);
  vocabulary.tables.merges = MergesOfWords(in_order);
  return vocabulary;
}

std::vector<std::string> MergesOfWords(std::span<const std::string> words) {
  Ranks ranks;
  for (size_t i = 0; i < words.size(); ++i) ranks.emplace(words[i], static_cast<int64_t>(i));
  std::vector<std::string> merges;
  for (const std::string_view word : words) {
    const size_t middle = LastMeeting(word, ranks);
    if (middle > 0) merges.push_back(fmt::format("{} {}", word.substr(0, middle), word.substr(middle)));
  }
  return merges;
}

std::string TimeToken(int64_t index) {
  constexpr int64_t kPerSecond = 50;
  return fmt::format("<|{}.{:02}|>", index / kPerSecond, index % kPerSecond * (100 / kPerSecond));
}

absl::StatusOr<std::vector<std::string>> CompleteVocabulary(const std::map<int64_t, std::string>& tokens, int64_t size,
                                                            std::string_view source_name) {
  int64_t no_times = std::numeric_limits<int64_t>::max();
  for (const auto& [id, text] : tokens) {
    if (text == kNoTimes) no_times = id;
  }
  if (!tokens.empty() && tokens.rbegin()->first >= size) {
    return InvalidArgument("{}: token {} of {}, but the model has {} tokens; is it the tokenizer of another model?",
                           source_name, tokens.rbegin()->first, Printable(tokens.rbegin()->second), size);
  }
  std::vector<std::string> all;
  for (int64_t id = 0; id < size; ++id) {
    const auto found = tokens.find(id);
    if (found == tokens.end() && id <= no_times) {
      return InvalidArgument("{}: no token {}, but the model has {} tokens; is it the tokenizer of another model?",
                             source_name, id, size);
    }
    all.push_back(found == tokens.end() ? TimeToken(id - no_times - 1) : found->second);
  }
  return all;
}

}  // namespace tutti
