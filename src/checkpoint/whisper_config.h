#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "checkpoint/model_package.h"

namespace tutti {

// What a Whisper package of any format says besides its weights and its tokenizer.
struct WhisperConfig {
  using Ids = std::vector<int64_t>;

  int64_t encoder_heads = 0, decoder_heads = 0;  // of every layer
  std::optional<Ids> alignment_heads;            // layer, head, layer, head, …
  std::optional<Ids> suppress_ids, suppress_ids_begin;
};

// Gives a package that has its weights, under CTranslate2's names, and its tokenizer the configuration that
// WhisperPackage takes, with lists that have no lists in them, so that a GGUF file can hold it too:
//   model: Whisper
//   encoder_heads, decoder_heads, alignment_heads, suppress_ids, suppress_ids_begin
//
// Lists that `config` does not state, and an empty one of suppress_ids, are those of OpenAI's package: symbols that are
// not spoken and tokens that are not the decoder's to say; nothing at all as the first token; the heads published with
// the model of as many layers, heads and tokens, or none where there is no such.
//
// preprocessor_config.json, where the directory has one, must describe the features that the weights take.
// InvalidArgument names the file and the key or token. `source_name` is whose errors the configuration's are.
absl::Status ConfigureWhisper(WhisperConfig config, const std::string& source_name, ModelPackage& package);

// The list of integers at `key` of a JSON object; of pairs where `of_pairs`, which follow each other in the result.
// Nothing where the key is missing or null; InvalidArgument names it and what was found.
absl::StatusOr<std::optional<WhisperConfig::Ids>> WhisperIdsAt(const nlohmann::json& object, const char* key,
                                                               bool of_pairs);

}  // namespace tutti
