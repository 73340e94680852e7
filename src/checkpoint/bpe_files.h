#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "checkpoint/byte_bpe.h"

namespace tutti {

// A byte-level BPE in the files that have no list of all tokens: texts by id, in the letters of bytes (checkpoint/
// byte_letters.h), where ids may be missing, and what is merged.
struct BpeVocabulary {
  std::map<int64_t, std::string> tokens;
  BpeTables tables;
};

inline constexpr int64_t kMostBpeTokens = 1 << 20;

// Adds a token of an id below kMostBpeTokens; a second text of one id is refused.
absl::Status AddBpeToken(const std::string& text, int64_t id, std::string_view source_name,
                         std::map<int64_t, std::string>& tokens);

// Errors of all of these name `source_name` and what was found in it: InvalidArgument for a malformed file,
// Unimplemented for another kind of tokenizer.

// tokenizer.json with the vocabulary that it holds itself.
absl::StatusOr<BpeVocabulary> ParseTokenizerVocabulary(std::string_view text, std::string_view source_name);

// vocab.json, merges.txt and added_tokens.json ("" for none), as transformers' slow tokenizers have them. Added tokens
// and <|endoftext|> are taken whole, times are not.
struct VocabularyFiles {
  std::string_view vocab, merges, added;
};
absl::StatusOr<BpeVocabulary> ParseVocabularyFiles(const VocabularyFiles& files, std::string_view source_name);

// A .tiktoken file: lines of a word's bytes in base64 and its id. `tables.added` stays empty.
absl::StatusOr<BpeVocabulary> ParseTiktoken(std::string_view text, std::string_view source_name);

// The merges that words were learnt by, from their order alone: a word's id is the rank of the merge that made it. A
// word that no two earlier ones make, such as the empty one, has no merge.
std::vector<std::string> MergesOfWords(std::span<const std::string> words);

// A token that is a time: <|0.00|>, <|0.02|>, …
std::string TimeToken(int64_t index);

// All `size` tokens by id. Those behind <|notimestamps|> that no file names are times; any other gap is
// InvalidArgument.
absl::StatusOr<std::vector<std::string>> CompleteVocabulary(const std::map<int64_t, std::string>& tokens, int64_t size,
                                                            std::string_view source_name);

}  // namespace tutti
