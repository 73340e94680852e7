#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"

namespace tutti {

// What a byte-level BPE tokenizer has besides its vocabulary (Hugging Face's tokenizer.json).
struct BpeTables {
  std::vector<std::string> merges;  // "left right", the one that is applied first first
  std::vector<std::string> added;   // tokens that are taken whole wherever they stand in a text: <|en|>
};

// tokenizer.json: a BPE over the letters of bytes, as GPT-2 and Whisper have it. `vocabulary` is the id → token list of
// the package; InvalidArgument where the file says otherwise. Unimplemented for another kind of tokenizer. Errors name
// `source_name` and the key.
absl::StatusOr<BpeTables> ParseTokenizerJson(std::string_view text, std::span<const std::string> vocabulary,
                                             std::string_view source_name);

// A byte-level BPE both ways, token for token as Hugging Face's tokenizers have it.
//
// Text is split by GPT-2's pattern (contractions, letters, digits, the rest, spaces), each part becomes its bytes, and
// neighbours are merged, the earliest merge of the list first. Immutable, safe from any thread.
class ByteBpe {
 public:
  // The first `words` of the vocabulary are text, in the letters that stand for bytes; the others (end of text,
  // languages, times) are none. InvalidArgument names the token or merge: a byte without a token, a merge of no tokens,
  // two tokens of one text.
  static absl::StatusOr<ByteBpe> Make(std::span<const std::string> vocabulary, int32_t words, const BpeTables& tables);

  // `text` is UTF-8, else InvalidArgument with the position. Added tokens in it count as such.
  absl::StatusOr<std::vector<int32_t>> Encode(std::string_view text) const;

  // The bytes that a token stands for: none for tokens that are no words. They need not be whole letters.
  std::string_view Bytes(int32_t token) const;

  // Their text. Bytes that are no UTF-8 become U+FFFD, as few as the Unicode standard recommends.
  std::string Text(std::span<const int32_t> tokens) const;

  // The tokens in groups, each as small as its text is whole letters: a letter may take several tokens.
  struct Group {
    size_t tokens = 0;  // how many, from where the last group ended
    std::string text;
  };
  std::vector<Group> Letters(std::span<const int32_t> tokens) const;

 private:
  struct Merge {
    int32_t rank = 0, token = 0;
  };

  ByteBpe() = default;

  void AppendPart(std::string_view part, std::vector<int32_t>& tokens) const;
  absl::Status AppendWords(std::string_view text, size_t offset, std::vector<int32_t>& tokens) const;

  std::shared_ptr<const void> pattern_;  // pcre2_code
  std::vector<std::string> bytes_;       // of each word
  int32_t token_of_byte_[256] = {};
  std::unordered_map<uint64_t, Merge> merges_;  // by left << 32 | right
  std::map<std::string, int32_t, std::less<>> added_;
  std::bitset<256> starts_added_;  // by their first byte
  size_t longest_added_ = 0;
};

}  // namespace tutti
