#include "models/whisper_words.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/utf8.h"

namespace tutti {
namespace {

constexpr int64_t kRowMs = 20;  // of the encoding
constexpr std::string_view kOpening = "\"'“¿([{-";
constexpr std::string_view kClosing = "\"'.。,，!！?？:：”)]}、";
constexpr std::string_view kSentenceEnds = ".。!！?？";
constexpr std::string_view kAsciiPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
constexpr int64_t kLongestMedianMs = 700;
constexpr int64_t kTrustMs = 500;  // how far a word may reach out of its stretch before the stretch is believed

// What Python's str.strip takes off.
bool IsSpace(std::string_view letter) {
  if (letter.size() == 1) {
    const char c = letter[0];
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f');
  }
  constexpr std::array<std::string_view, 18> kSpaces = {"\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002",
                                                        "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008",
                                                        "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f"};
  return letter == "\u3000" || std::ranges::find(kSpaces, letter) != kSpaces.end();
}

std::string_view Stripped(std::string_view text) {
  size_t begin = 0, end = 0;  // of what is between spaces
  for (size_t at = 0; at < text.size();) {
    const size_t size = FirstLetter(text.substr(at)).size;
    const bool is_space = IsSpace(text.substr(at, size));
    if (!is_space && end == 0) begin = at;
    at += size;
    if (!is_space) end = at;
  }
  return end == 0 ? std::string_view() : text.substr(begin, end - begin);
}

// As Python's `in` of strings: also the empty one.
bool Within(std::string_view text, std::string_view all) { return all.find(text) != all.npos; }

// Of the times that words last, without those that last none.
std::optional<int64_t> MedianMs(std::span<const WhisperWord> words) {
  std::vector<int64_t> lengths;
  for (const WhisperWord& word : words) {
    if (word.end_ms != word.start_ms) lengths.push_back(word.end_ms - word.start_ms);
  }
  if (lengths.empty()) return std::nullopt;
  std::ranges::sort(lengths);
  const size_t half = lengths.size() / 2;
  const int64_t median = lengths.size() % 2 == 1 ? lengths[half] : (lengths[half - 1] + lengths[half]) / 2;
  return std::min(median, kLongestMedianMs);
}

int64_t LengthMs(const WhisperWord& word) { return word.end_ms - word.start_ms; }

void ShortenAtSentenceEnds(std::span<WhisperWord> words, int64_t longest_ms) {
  for (size_t i = 1; i < words.size(); ++i) {
    if (LengthMs(words[i]) <= longest_ms) continue;
    if (Within(words[i].text, kSentenceEnds)) {
      words[i].end_ms = words[i].start_ms + longest_ms;
    } else if (Within(words[i - 1].text, kSentenceEnds)) {
      words[i].start_ms = words[i].end_ms - longest_ms;
    }
  }
}

// The first words after a pause, and the first and last of a stretch, whose ends follow them. `speech_ended_ms` is that
// of the stretch before.
void FitToStretch(std::span<WhisperWord> words, int64_t median_ms, int64_t speech_ended_ms, WhisperStretch& stretch) {
  const int64_t longest_ms = 2 * median_ms;
  WhisperWord& first = words.front();
  WhisperWord& last = words.back();
  const bool second_is_long = words.size() > 1 && words[1].end_ms - first.start_ms > 2 * longest_ms;
  if (first.end_ms - speech_ended_ms > 4 * median_ms && (LengthMs(first) > longest_ms || second_is_long)) {
    if (words.size() > 1 && LengthMs(words[1]) > longest_ms) {
      first.end_ms = words[1].start_ms = std::max(words[1].end_ms / 2, words[1].end_ms - longest_ms);
    }
    first.start_ms = std::max<int64_t>(0, first.end_ms - longest_ms);
  }
  if (stretch.start_ms < first.end_ms && stretch.start_ms - kTrustMs > first.start_ms) {
    first.start_ms = std::max<int64_t>(0, std::min(first.end_ms - median_ms, stretch.start_ms));
  } else {
    stretch.start_ms = first.start_ms;
  }
  if (stretch.end_ms > last.start_ms && stretch.end_ms + kTrustMs < last.end_ms) {
    last.end_ms = std::max(last.start_ms + median_ms, stretch.end_ms);
  } else {
    stretch.end_ms = last.end_ms;
  }
}

}  // namespace

bool WritesWithoutSpaces(std::string_view language) {
  constexpr std::array<std::string_view, 6> kLanguages = {"zh", "ja", "th", "lo", "my", "yue"};
  return std::ranges::find(kLanguages, language) != kLanguages.end();
}

std::vector<WhisperWord> FindWords(const ByteBpe& bpe, std::string_view language, std::span<const int32_t> text,
                                   const WhisperAlignment& alignment) {
  std::vector<WhisperWord> words;
  if (alignment.path.empty()) return words;
  const bool by_letters = WritesWithoutSpaces(language);
  for (const ByteBpe::Group& group : bpe.Letters(text)) {
    if (words.empty() || by_letters || group.text.starts_with(' ') || Within(Stripped(group.text), kAsciiPunctuation)) {
      words.push_back({});
    }
    words.back().text += group.text;
    words.back().tokens += group.tokens;
  }
  // Where each token begins, and the end of the text behind them.
  std::vector<int64_t> begins_ms;
  for (const auto& [token, row] : alignment.path) {
    if (token == static_cast<int64_t>(begins_ms.size())) begins_ms.push_back(row * kRowMs);
  }
  size_t first = 0;
  for (WhisperWord& word : words) {
    const size_t end = first + word.tokens;
    word.start_ms = begins_ms[first];
    word.end_ms = begins_ms[end];
    double sum = 0;
    for (size_t i = first; i < end; ++i) sum += static_cast<double>(alignment.probs[i]);
    word.probability = static_cast<float>(sum / static_cast<double>(word.tokens));
    first = end;
  }
  return words;
}

void MergePunctuation(std::vector<WhisperWord>& words) {
  if (words.size() < 2) return;
  const auto join = [](WhisperWord& left, WhisperWord& right, WhisperWord& whole) {
    std::string text = left.text + right.text;
    const size_t tokens = left.tokens + right.tokens;
    left.text.clear(), right.text.clear();
    left.tokens = right.tokens = 0;
    whole.text = std::move(text);
    whole.tokens = tokens;
  };
  for (size_t next = words.size() - 1, i = next; i-- > 0;) {
    if (words[i].text.starts_with(' ') && Within(Stripped(words[i].text), kOpening)) {
      join(words[i], words[next], words[next]);
    } else {
      next = i;
    }
  }
  for (size_t last = 0, i = 1; i < words.size(); ++i) {
    if (!words[last].text.ends_with(' ') && Within(words[i].text, kClosing)) {
      join(words[last], words[i], words[last]);
    } else {
      last = i;
    }
  }
}

std::vector<std::vector<WhisperWord>> WordsOfStretches(std::vector<WhisperWord> words,
                                                       std::span<WhisperStretch> stretches) {
  const std::optional<int64_t> median_ms = MedianMs(words);
  if (median_ms) ShortenAtSentenceEnds(words, 2 * *median_ms);
  MergePunctuation(words);
  std::vector<std::vector<WhisperWord>> result;
  int64_t speech_ended_ms = 0;
  auto next = words.begin();
  for (WhisperStretch& stretch : stretches) {
    std::vector<WhisperWord>& own = result.emplace_back();
    for (size_t tokens = 0; next != words.end() && tokens < stretch.words.size(); ++next) {
      tokens += next->tokens;
      if (!next->text.empty()) own.push_back(std::move(*next));
    }
    if (own.empty()) continue;
    FitToStretch(own, median_ms.value_or(0), speech_ended_ms, stretch);
    speech_ended_ms = stretch.end_ms;
  }
  return result;
}

}  // namespace tutti
