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
//   tokenizer.json            merges
//
// `model_type` is "Whisper". The configuration holds lists without lists in them, so that a GGUF file can hold it too:
//   encoder_heads, decoder_heads   of every layer
//   alignment_heads                layer, head, layer, head, …
//   suppress_ids, suppress_ids_begin
//
// NotFound or InvalidArgument names the file and the key; Unimplemented a network that is not Whisper's.
absl::StatusOr<ModelPackage> OpenCtranslate2Package(const std::string& directory);

}  // namespace tutti
