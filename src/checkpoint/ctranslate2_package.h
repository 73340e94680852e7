#pragma once

#include <string>

#include "base/status.h"
#include "checkpoint/model_package.h"

namespace tutti {

// Whether the directory is a model of CTranslate2: it has model.bin and config.json, and no config.yaml.
bool IsCtranslate2Package(const std::string& directory);

// A Whisper directory as CTranslate2's converter writes it and faster-whisper uses it (whisper spec §2):
//   model.bin                 weights, under CTranslate2's names
//   config.json               alignment_heads, suppress_ids, suppress_ids_begin
//   vocabulary.json or .txt   tokens, byte-level BPE in the letters of bytes
//   tokenizer.json            merges; where it is missing they follow from the order of the tokens
//   preprocessor_config.json  compared with the weights where it is there
//
// Lists that config.json does not state, and the package's configuration, are ConfigureWhisper's.
//
// NotFound or InvalidArgument names the file and the key; Unimplemented a network that is not Whisper's.
absl::StatusOr<ModelPackage> OpenCtranslate2Package(const std::string& directory);

}  // namespace tutti
