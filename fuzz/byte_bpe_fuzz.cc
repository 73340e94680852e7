// A tokenizer out of hostile files, and text through it. The input is three parts with a NUL between them: lines of a
// vocabulary that follow the 256 letters of bytes, tokenizer.json, and a text.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/utf8.h"
#include "checkpoint/byte_bpe.h"
#include "checkpoint/byte_letters.h"
#include "checkpoint/text_lines.h"

namespace {

void Check(bool holds) {
  if (!holds) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto part = [&input] {
    const size_t end = input.find('\0');
    const std::string_view taken = input.substr(0, end);
    input.remove_prefix(end == input.npos ? input.size() : end + 1);
    return taken;
  };
  std::vector<std::string> vocabulary = tutti::LettersOfBytes();
  for (const std::string_view line : tutti::Lines(part())) vocabulary.emplace_back(line);
  const auto tables = tutti::ParseTokenizerJson(part(), vocabulary, "fuzz");
  if (!tables.ok()) return 0;
  const auto end = std::ranges::find(vocabulary, "<|endoftext|>") - vocabulary.begin();
  const auto bpe = tutti::ByteBpe::Make(vocabulary, static_cast<int32_t>(end), *tables);
  if (!bpe.ok()) return 0;
  const std::string_view text = input;
  const auto tokens = bpe->Encode(text);
  Check(tokens.ok() == (tutti::WellFormed(text) == text));
  if (!tokens.ok()) return 0;
  const bool words_only = std::ranges::all_of(*tokens, [end](int32_t token) { return token < end; });
  if (words_only) Check(bpe->Text(*tokens) == text);
  size_t grouped = 0;
  for (const auto& group : bpe->Letters(*tokens)) {
    Check(group.tokens > 0 && tutti::WellFormed(group.text) == group.text);
    grouped += group.tokens;
  }
  Check(grouped == tokens->size());
  // Any bytes as tokens.
  const std::vector<int32_t> bytes(text.begin(), text.end());
  bpe->Letters(bytes);
  return 0;
}
