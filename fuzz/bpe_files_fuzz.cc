// Vocabularies in the files that Whisper's formats have them in, and text through the tokenizers that they make. The
// first byte chooses the file; what follows is the file's text (of vocab.json, merges.txt and added_tokens.json, with a
// NUL between) and, behind another NUL, a text.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/utf8.h"
#include "checkpoint/bpe_files.h"
#include "checkpoint/huggingface_package.h"

namespace {

void Check(bool holds) {
  if (!holds) abort();
}

void RoundTrip(const tutti::BpeVocabulary& vocabulary, std::string_view text) {
  constexpr int64_t kMost = 1 << 16;  // gaps are filled, and a token may have any number
  if (vocabulary.tokens.empty() || vocabulary.tokens.rbegin()->first > kMost) return;
  const auto size = vocabulary.tokens.rbegin()->first + 50;
  const auto tokens = tutti::CompleteVocabulary(vocabulary.tokens, size, "fuzz");
  if (!tokens.ok()) return;
  Check(static_cast<int64_t>(tokens->size()) == size);
  const auto end = std::ranges::find(*tokens, "<|endoftext|>") - tokens->begin();
  const auto bpe = tutti::ByteBpe::Make(*tokens, static_cast<int32_t>(end), vocabulary.tables);
  if (!bpe.ok()) return;
  const auto encoded = bpe->Encode(text);
  Check(encoded.ok() == (tutti::WellFormed(text) == text));
  if (!encoded.ok()) return;
  if (std::ranges::all_of(*encoded, [end](int32_t token) { return token < end; })) {
    Check(bpe->Text(*encoded) == text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto part = [&input] {
    const size_t end = input.find('\0');
    const std::string_view taken = input.substr(0, end);
    input.remove_prefix(end == input.npos ? input.size() : end + 1);
    return taken;
  };
  absl::StatusOr<tutti::BpeVocabulary> vocabulary = tutti::BpeVocabulary();
  const std::string_view first = part();
  switch (data[0]) {
    case 'T':
      vocabulary = tutti::ParseTiktoken(first, "fuzz");
      if (vocabulary.ok()) vocabulary->tokens.emplace(vocabulary->tokens.size(), "<|endoftext|>");
      if (vocabulary.ok()) vocabulary->tokens.emplace(vocabulary->tokens.size(), "<|notimestamps|>");
      break;
    case 'J':
      vocabulary = tutti::ParseTokenizerVocabulary(first, "fuzz");
      break;
    case 'V': {
      const std::string_view merges = part(), added = part();
      vocabulary = tutti::ParseVocabularyFiles({first, merges, added}, "fuzz");
      break;
    }
    case 'C':
      tutti::ParseHuggingFaceConfig(first, part()).IgnoreError();
      return 0;
    default:
      tutti::ParseShardIndex(first, "fuzz").IgnoreError();
      return 0;
  }
  if (vocabulary.ok()) RoundTrip(*vocabulary, input);
  return 0;
}
