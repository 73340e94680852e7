#include "models/token_text.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace tutti {
namespace {

constexpr std::string_view kContinues = "@@";

// A unit of text being made.
struct Piece {
  std::string text;
  bool space_after = false;
  int64_t start_ms = -1;
  int64_t end_ms = -1;
  double score = 0;  // sum over `tokens`
  int tokens = 0;
};

// The next code point and its bytes; U+FFFD and one byte where the text is malformed.
struct CodePoint {
  char32_t value = 0xFFFD;
  size_t bytes = 1;
};

CodePoint NextCodePoint(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {};
  char32_t value = lead & (0x7FU >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = (value << 6) | (byte(i) & 0x3FU);
  }
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[bytes] || value > 0x10FFFF || surrogate) return {};
  return {value, bytes};
}

// Whether the text has characters and `holds` is true for each.
template <typename Predicate>
bool AllOf(std::string_view text, Predicate holds) {
  if (text.empty()) return false;
  while (!text.empty()) {
    const CodePoint c = NextCodePoint(text);
    if (!holds(c.value)) return false;
    text.remove_prefix(c.bytes);
  }
  return true;
}

// FunASR's notion: with digits and '@'.
bool IsChinese(char32_t c) { return (c >= 0x4E00 && c <= 0x9FFF) || (c >= '0' && c <= '9') || c == '@'; }

bool IsAsciiLetter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Letters of any script: everything beyond ASCII outside the blocks of punctuation, symbols and private use.
bool IsLetter(char32_t c) {
  if (c < 0x80) return IsAsciiLetter(c);
  struct Range {
    char32_t first, last;
  };
  constexpr Range kOthers[] = {{0x80, 0xA9},     {0xAB, 0xB4},     {0xB6, 0xB9},      {0xBB, 0xBF},
                               {0xD7, 0xD7},     {0xF7, 0xF7},     {0x2000, 0x206F},  {0x20A0, 0x20CF},
                               {0x2190, 0x2BFF}, {0x2E00, 0x2E7F}, {0x3000, 0x3004},  {0x3007, 0x3030},
                               {0xD800, 0xF8FF}, {0xFE00, 0xFE6F}, {0xFF00, 0xFF20},  {0xFF3B, 0xFF40},
                               {0xFF5B, 0xFF65}, {0xFFE0, 0xFFFF}, {0x1F000, 0x1FAFF}};
  return std::ranges::none_of(kOthers, [c](Range range) { return c >= range.first && c <= range.last; });
}

bool IsWordToken(std::string_view token) {
  return AllOf(token, [](char32_t c) { return c == '\'' || (IsLetter(c) && !IsChinese(c)); });
}

bool IsSpecial(std::string_view token) {
  constexpr std::string_view kSpecial[] = {"<s>", "</s>", "<unk>", "<OOV>"};
  return std::ranges::find(kSpecial, token) != std::end(kSpecial);
}

std::string Without(std::string_view token, std::string_view part) {
  std::string rest;
  for (size_t at = token.find(part); at != token.npos; at = token.find(part)) {
    rest += token.substr(0, at);
    token.remove_prefix(at + part.size());
  }
  return rest.append(token);
}

// FunASR looks at the first character of each token here, and takes a text of nothing but Chinese as it is.
bool AllStartChinese(std::span<const ScoredToken> tokens) {
  return std::ranges::all_of(tokens, [](const ScoredToken& token) {
    return IsSpecial(token.text) || (!token.text.empty() && IsChinese(NextCodePoint(token.text).value));
  });
}

// Builds the units of a segment, token by token.
class UnitBuilder {
 public:
  explicit UnitBuilder(bool as_they_are) : as_they_are_(as_they_are) {}

  void Add(const ScoredToken& token) {
    if (token.text == " ") {
      if (!pieces_.empty()) pieces_.back().space_after = true;
      after_word_ = false;
    } else if (as_they_are_ || AllOf(token.text, IsChinese)) {
      if (after_word_) pieces_.back().space_after = false;
      Emit(token, Without(token.text, " "));
      after_word_ = false;
    } else if (token.text.find(kContinues) != token.text.npos) {
      Continue(token, Without(token.text, kContinues));
      after_word_ = false;
    } else if (IsWordToken(token.text)) {
      Continue(token, token.text);
      word_.space_after = true;
      pieces_.push_back(std::exchange(word_, {}));
      open_ = false;
      after_word_ = true;
    } else {
      Emit(token, std::string(token.text));
      after_word_ = false;
    }
  }

  std::vector<Piece> Take() { return std::move(pieces_); }

 private:
  // A unit of its own. Times are the pending piece's, if one is open; its text and score stay pending.
  void Emit(const ScoredToken& token, std::string text) {
    const int64_t start_ms = open_ ? word_.start_ms : token.start_ms, end_ms = open_ ? word_.end_ms : token.end_ms;
    pieces_.push_back({std::move(text), false, start_ms, end_ms, token.score, 1});
    open_ = false;
  }

  void Continue(const ScoredToken& token, std::string_view text) {
    if (!open_) word_.start_ms = token.start_ms;
    open_ = true;
    word_.end_ms = token.end_ms;
    word_.text += text;
    word_.score += token.score;
    ++word_.tokens;
  }

  const bool as_they_are_;
  std::vector<Piece> pieces_;
  Piece word_;               // the word that pieces add up to
  bool open_ = false;        // word_'s times go on with the next token
  bool after_word_ = false;  // pieces_ ends in a word
};

bool IsLetterUnit(const Piece& piece) {
  return piece.text.size() == 1 && IsAsciiLetter(static_cast<uint8_t>(piece.text[0]));
}

// Joins runs of single letters with spaces between them, in place.
void JoinAbbreviations(std::vector<Piece>& pieces) {
  size_t kept = 0;
  for (size_t i = 0; i < pieces.size(); ++kept) {
    Piece unit = std::move(pieces[i++]);
    const bool starts = IsLetterUnit(unit) && unit.space_after && i < pieces.size() && IsLetterUnit(pieces[i]);
    if (starts) {
      while (unit.space_after && i < pieces.size() && IsLetterUnit(pieces[i])) {
        const Piece& next = pieces[i++];
        unit.text += next.text;
        unit.space_after = next.space_after;
        unit.end_ms = next.end_ms;
        unit.score += next.score;
        unit.tokens += next.tokens;
      }
      for (char& c : unit.text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    pieces[kept] = std::move(unit);
  }
  pieces.resize(kept);
}

}  // namespace

SegmentText TextFromTokens(std::span<const ScoredToken> tokens, bool timed) {
  UnitBuilder builder(AllStartChinese(tokens));
  for (const ScoredToken& token : tokens) {
    if (!token.text.empty() && !IsSpecial(token.text)) builder.Add(token);
  }
  std::vector<Piece> pieces = builder.Take();
  JoinAbbreviations(pieces);

  SegmentText result;
  bool space = false;
  for (Piece& piece : pieces) {
    if (space) result.text += ' ';
    result.text += piece.text;
    space = timed || piece.space_after;
    result.units.push_back(
        {std::move(piece.text), piece.start_ms, piece.end_ms, static_cast<float>(piece.score / piece.tokens)});
  }
  return result;
}

}  // namespace tutti
