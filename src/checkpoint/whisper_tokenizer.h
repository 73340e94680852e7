#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "checkpoint/byte_bpe.h"
#include "checkpoint/model_package.h"
#include "checkpoint/tensor.h"

namespace tutti {

// The tokenizer of a Whisper model as its directory has it.
struct WhisperTokenizer {
  std::vector<std::string> tokens;  // by id, words in the letters of bytes
  BpeTables bpe;
  std::string source;  // the names of its files
};

// From the first of these that the directory has:
//   tokenizer.json                                       Hugging Face
//   vocab.json, merges.txt, added_tokens.json if there   Hugging Face, slow tokenizers
//   multilingual.tiktoken; gpt2.tiktoken of `.en`        OpenAI's package; the other tokens follow from the sizes
//   vocabulary.json, vocabulary.txt                      CTranslate2; merges follow from the order of the words
// `weights`, under CTranslate2's names, say how many tokens there are and how many of them are times.
//
// NotFound says which file to put there and where it comes from; InvalidArgument names the file and what is wrong.
absl::StatusOr<WhisperTokenizer> ReadWhisperTokenizer(const std::string& directory, const Checkpoint& weights);

// Of a CTranslate2 package: vocabulary.json or vocabulary.txt, and the merges of tokenizer.json where that is there.
absl::StatusOr<WhisperTokenizer> ReadListedTokenizer(const std::string& directory);

void TakeTokenizer(WhisperTokenizer tokenizer, ModelPackage& package);

}  // namespace tutti
