#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "checkpoint/model_package.h"
#include "checkpoint/whisper_config.h"

namespace tutti {

// Whether the directory is one of transformers': it has config.json and weights by one of the names below, and no
// config.yaml.
bool IsHuggingFacePackage(const std::string& directory);

// A Whisper directory as transformers writes it:
//   config.json               model_type whisper, heads, what the network is
//   generation_config.json    alignment_heads, suppress_tokens, begin_suppress_tokens; older ones have them in
//   config.json model.safetensors, or model.safetensors.index.json and the files that it names, or pytorch_model.bin,
//   or pytorch_model.bin.index.json; f32, f16 or bf16 tokenizer.json, or vocab.json, merges.txt and added_tokens.json
//   preprocessor_config.json  compared with the weights where it is there
//
// Lists that no file states, and the package's configuration, are ConfigureWhisper's.
//
// NotFound or InvalidArgument names the file and the key; Unimplemented a network that is not Whisper's.
absl::StatusOr<ModelPackage> OpenHuggingFacePackage(const std::string& directory);

// config.json and generation_config.json ("" for none). Errors name the key.
absl::StatusOr<WhisperConfig> ParseHuggingFaceConfig(std::string_view config, std::string_view generation);

// The files that a model.safetensors.index.json names, each once. Errors name `source_name` and the tensor.
absl::StatusOr<std::vector<std::string>> ParseShardIndex(std::string_view text, const std::string& source_name);

}  // namespace tutti
