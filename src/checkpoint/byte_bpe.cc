#include "checkpoint/byte_bpe.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <limits>
#include <queue>
#include <utility>

#include "base/utf8.h"
#include "checkpoint/byte_letters.h"
#include "checkpoint/printable.h"

namespace tutti {
namespace {

// GPT-2's pattern. The white space is Unicode's, written out because PCRE2's \s has U+180E besides.
#define TUTTI_SPACE R"(\p{Z}\t-\r\x{85})"
constexpr char kSplitPattern[] = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{L}\p{N})" TUTTI_SPACE
                                 R"(]+|[)" TUTTI_SPACE R"(]+(?![^)" TUTTI_SPACE R"(])|[)" TUTTI_SPACE "]+";
#undef TUTTI_SPACE

constexpr size_t kLongestAdded = 256;

// A word in bytes, from the letters that stand for them; as it is when there are others in it.
std::string BytesOfWord(const std::string& word, const std::map<std::string, char, std::less<>>& bytes) {
  std::string result;
  for (std::string_view rest = word; !rest.empty();) {
    const std::string_view letter = rest.substr(0, FirstLetter(rest).size);
    const auto found = bytes.find(letter);
    if (found == bytes.end()) return word;
    result += found->second;
    rest.remove_prefix(letter.size());
  }
  return result;
}

uint64_t PairKey(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

absl::StatusOr<std::shared_ptr<const void>> CompileSplitPattern() {
  int error = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(kSplitPattern), PCRE2_ZERO_TERMINATED, PCRE2_UTF,
                                   &error, &at, nullptr);
  if (code == nullptr) return absl::InternalError(fmt::format("PCRE2 refuses the pattern: error {} at {}", error, at));
  return std::shared_ptr<const void>(
      code, [](const void* p) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(p))); });
}

// A part's tokens while it is merged, a list within a vector.
struct Symbol {
  int32_t token = 0;  // -1: merged into the one before
  int previous = -1, next = -1;
};

struct Candidate {
  int32_t rank = 0;
  int at = 0;          // of the left token
  int32_t merged = 0;  // what the two become
  // Of a queue whose top is the largest: the lowest rank, then the leftmost.
  bool operator<(const Candidate& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
};

}  // namespace

absl::StatusOr<ByteBpe> ByteBpe::Make(std::span<const std::string> vocabulary, int32_t words, const BpeTables& tables) {
  if (vocabulary.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max()) || words < 0 ||
      static_cast<size_t>(words) > vocabulary.size()) {
    return InvalidArgument("vocabulary: {} tokens, {} of them words", vocabulary.size(), words);
  }
  ByteBpe bpe;
  TUTTI_ASSIGN_OR_RETURN(bpe.pattern_, CompileSplitPattern());
  std::unordered_map<std::string_view, int32_t> tokens;
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const auto [place, is_new] = tokens.emplace(vocabulary[i], static_cast<int32_t>(i));
    if (!is_new) {
      return InvalidArgument("vocabulary: tokens {} and {} are both {}", place->second, i, Printable(vocabulary[i]));
    }
  }
  const std::vector<std::string>& letters = LettersOfBytes();
  std::map<std::string, char, std::less<>> bytes;
  for (size_t byte = 0; byte < letters.size(); ++byte) {
    bytes[letters[byte]] = static_cast<char>(byte);
    const auto found = tokens.find(letters[byte]);
    if (found == tokens.end() || found->second >= words) {
      return InvalidArgument("vocabulary: no word for byte {}, expected {}", byte, Printable(letters[byte]));
    }
    bpe.token_of_byte_[byte] = found->second;
  }
  for (const std::string& word : vocabulary.first(static_cast<size_t>(words))) {
    bpe.bytes_.push_back(BytesOfWord(word, bytes));
  }
  for (size_t i = 0; i < tables.merges.size(); ++i) {
    const std::string& merge = tables.merges[i];
    const size_t space = merge.find(' ');
    const auto left = tokens.find(std::string_view(merge).substr(0, space));
    const auto right = tokens.find(space == merge.npos ? "" : std::string_view(merge).substr(space + 1));
    const auto both =
        space == merge.npos ? tokens.end() : tokens.find(merge.substr(0, space) + merge.substr(space + 1));
    const auto is_word = [&](const auto& found) { return found != tokens.end() && found->second < words; };
    if (!is_word(left) || !is_word(right) || !is_word(both)) {
      return InvalidArgument("merge {}: {}, expected two words that make a third", i, Printable(merge));
    }
    bpe.merges_[PairKey(left->second, right->second)] = {static_cast<int32_t>(i), both->second};
  }
  for (const std::string& added : tables.added) {
    const auto found = tokens.find(added);
    if (found == tokens.end() || added.empty() || added.size() > kLongestAdded) {
      return InvalidArgument("added token {}: expected a token of the vocabulary, of 1 to {} bytes", Printable(added),
                             kLongestAdded);
    }
    bpe.added_[added] = found->second;
    bpe.starts_added_[static_cast<unsigned char>(added[0])] = true;
    bpe.longest_added_ = std::max(bpe.longest_added_, added.size());
  }
  return bpe;
}

// Merges one part of a text to its tokens.
void ByteBpe::AppendPart(std::string_view part, std::vector<int32_t>& tokens) const {
  std::vector<Symbol> symbols(part.size());
  const int size = static_cast<int>(part.size());
  std::priority_queue<Candidate> queue;
  const auto consider = [&](int at) {
    const Symbol& left = symbols[static_cast<size_t>(at)];
    if (left.next < 0) return;
    const auto found = merges_.find(PairKey(left.token, symbols[static_cast<size_t>(left.next)].token));
    if (found != merges_.end()) queue.push({found->second.rank, at, found->second.token});
  };
  for (int i = 0; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(part[static_cast<size_t>(i)]);
    symbols[static_cast<size_t>(i)] = {token_of_byte_[byte], i - 1, i + 1 < size ? i + 1 : -1};
  }
  for (int i = 0; i + 1 < size; ++i) consider(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols[static_cast<size_t>(best.at)];
    if (left.token < 0 || left.next < 0) continue;
    // One of the two may have become another token since; what they make must still be the same.
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    const auto found = merges_.find(PairKey(left.token, right.token));
    if (found == merges_.end() || found->second.token != best.merged) continue;
    left.token = best.merged;
    left.next = right.next;
    right.token = -1;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = best.at;
    if (left.previous >= 0) consider(left.previous);
    consider(best.at);
  }
  for (int i = part.empty() ? -1 : 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    tokens.push_back(symbols[static_cast<size_t>(i)].token);
  }
}

absl::Status ByteBpe::AppendWords(std::string_view text, size_t offset, std::vector<int32_t>& tokens) const {
  if (text.empty()) return absl::OkStatus();
  const auto* code = static_cast<const pcre2_code*>(pattern_.get());
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(pcre2_match_data_create(1, nullptr),
                                                                             pcre2_match_data_free);
  if (match == nullptr) return ResourceExhausted("no memory to split a text of {} bytes", text.size());
  for (size_t begin = 0; begin < text.size();) {
    const int found = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), begin,
                                  PCRE2_NO_UTF_CHECK, match.get(), nullptr);
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match.get());
    // Each letter is one that some alternative takes, so parts follow without a gap.
    if (found < 1 || range[0] != begin || range[1] <= begin) {
      return absl::InternalError(fmt::format("PCRE2 splits no part off at byte {}: error {}", offset + begin, found));
    }
    AppendPart(text.substr(begin, range[1] - begin), tokens);
    begin = range[1];
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int32_t>> ByteBpe::Encode(std::string_view text) const {
  for (size_t at = 0; at < text.size();) {
    const Utf8Letter letter = FirstLetter(text.substr(at));
    if (!letter.well_formed) return InvalidArgument("text: byte {} is no UTF-8", at);
    at += letter.size;
  }
  std::vector<int32_t> tokens;
  size_t begin = 0;  // of the words since the last added token
  for (size_t at = 0; at < text.size();) {
    auto added = added_.end();
    const bool starts = starts_added_[static_cast<unsigned char>(text[at])];
    for (size_t size = starts ? std::min(longest_added_, text.size() - at) : 0; size > 0 && added == added_.end();
         --size) {
      added = added_.find(text.substr(at, size));
    }
    if (added == added_.end()) {
      ++at;
      continue;
    }
    TUTTI_RETURN_IF_ERROR(AppendWords(text.substr(begin, at - begin), begin, tokens));
    tokens.push_back(added->second);
    begin = at += added->first.size();
  }
  TUTTI_RETURN_IF_ERROR(AppendWords(text.substr(begin), begin, tokens));
  return tokens;
}

std::string_view ByteBpe::Bytes(int32_t token) const {
  if (token < 0 || static_cast<size_t>(token) >= bytes_.size()) return {};
  return bytes_[static_cast<size_t>(token)];
}

std::string ByteBpe::Text(std::span<const int32_t> tokens) const {
  std::string bytes;
  for (const int32_t token : tokens) bytes += Bytes(token);
  return WellFormed(bytes);
}

std::vector<ByteBpe::Group> ByteBpe::Letters(std::span<const int32_t> tokens) const {
  // Whether each letter of a text is U+FFFD.
  const auto replacements = [](std::string_view text) {
    std::vector<bool> marks;
    while (!text.empty()) {
      const size_t size = FirstLetter(text).size;
      marks.push_back(text.substr(0, size) == kReplacementLetter);
      text.remove_prefix(size);
    }
    return marks;
  };
  const std::vector<bool> whole = replacements(Text(tokens));
  std::vector<Group> groups;
  size_t begin = 0, letters = 0;  // of the group, and before it
  for (size_t end = 1; end <= tokens.size(); ++end) {
    std::string text = Text(tokens.subspan(begin, end - begin));
    const std::vector<bool> marks = replacements(text);
    const size_t first = static_cast<size_t>(std::ranges::find(marks, true) - marks.begin());
    // What further tokens leave as it is belongs to the text, broken or not.
    const bool stays = first == marks.size() || (letters + first < whole.size() && whole[letters + first]);
    if (!stays && end < tokens.size()) continue;
    groups.push_back({end - begin, std::move(text)});
    letters += marks.size();
    begin = end;
  }
  return groups;
}

}  // namespace tutti
